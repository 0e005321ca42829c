// The official Anthropic SDK: messages, streamed and not.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { routed, withRouter } from "./router.js";

withRouter();
const client = (more = {}) => new Anthropic({ baseURL: routed.url, apiKey: routed.key, maxRetries: 0, ...more });
const messages = [{ role: "user", content: "Hello there" }];
const tools = ["get_weather", "get_time"].map((name) => ({
  name,
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
}));
const text = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

for (const model of ["plain/m1", "claude/m1"]) {
  const asked = { model, max_tokens: 2000, messages };

  describe(`anthropic in front of ${model}`, () => {
    test("text", async () => {
      const message = await client().messages.create(asked);
      assert.equal(text(message), "Echo: Hello there");
      assert.equal(message.stop_reason, "end_turn");
      assert.equal(message.usage.input_tokens, 11);
    });

    test("a stream", async () => {
      const stream = client().messages.stream(asked);
      let said = "";
      stream.on("text", (piece) => (said += piece));
      const message = await stream.finalMessage();
      assert.equal(said, "Echo: Hello there");
      assert.equal(text(message), said);
    });

    test("parallel tools, there and back", async () => {
      const first = await client().messages.stream({ ...asked, tools }).finalMessage();
      const uses = first.content.filter((block) => block.type === "tool_use");
      assert.deepEqual(uses.map((use) => use.input), [{ city: "some city" }, { city: "some city" }]);
      assert.equal(first.stop_reason, "tool_use");
      const results = uses.map((use, at) => ({ type: "tool_result", tool_use_id: use.id, content: `result ${at}` }));
      const second = await client().messages.create({
        ...asked,
        tools,
        messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: results }],
      });
      assert.equal(text(second), "Results: result 0, result 1");
    });

    test("tokens are counted", async () => {
      const { input_tokens } = await client().messages.countTokens({ model, messages });
      assert.ok(input_tokens > 3 && input_tokens < 20);
    });
  });
}

test("thinking, signed", async () => {
  const message = await client().messages.create({
    model: "claude/m1",
    max_tokens: 2000,
    messages,
    thinking: { type: "enabled", budget_tokens: 1024 },
  });
  assert.equal(message.content[0].type, "thinking");
  assert.equal(message.content[0].signature, "sig-1");
});

test("models", async () => {
  const page = await client().models.list();
  assert.equal(page.data[0].id, "hermes-router");
});

describe("errors raise the SDK's own classes", () => {
  const asked = (model, more) => client(more).messages.create({ model, max_tokens: 9, messages });
  test("a wrong key", () => assert.rejects(asked("plain/m1", { apiKey: "k-wrong" }), Anthropic.AuthenticationError));
  test("an unknown model", () => assert.rejects(asked("plain/m9"), Anthropic.NotFoundError));
  test("nobody left", () => assert.rejects(asked("broken/m1"), Anthropic.InternalServerError));
  test("a bad request", () => assert.rejects(asked("refusing/m1"), Anthropic.BadRequestError));
});
