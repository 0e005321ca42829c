// The official OpenAI SDK: chat completions and responses, streamed and not.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import OpenAI from "openai";
import { routed, withRouter } from "./router.js";

withRouter();
const client = (more = {}) =>
  new OpenAI({ baseURL: `${routed.url}/v1`, apiKey: routed.key, maxRetries: 0, ...more });
const messages = [{ role: "user", content: "Hello there" }];
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const tools = ["get_weather", "get_time"].map((name) => ({ type: "function", function: { name, parameters } }));

for (const model of ["plain/m1", "claude/m1"]) {
  describe(`openai in front of ${model}`, () => {
    test("text", async () => {
      const { data, response } = await client().chat.completions.create({ model, messages }).withResponse();
      assert.equal(data.choices[0].message.content, "Echo: Hello there");
      assert.equal(data.choices[0].finish_reason, "stop");
      assert.equal(response.headers.get("x-hermes-model"), "m1");
    });

    test("a stream", async () => {
      const stream = await client().chat.completions.create({
        model,
        messages,
        stream: true,
        stream_options: { include_usage: true },
      });
      let text = "";
      let usage;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta?.content ?? "";
        usage = chunk.usage ?? usage;
      }
      assert.equal(text, "Echo: Hello there");
      assert.equal(usage.prompt_tokens, 11);
    });

    test("parallel tools, there and back", async () => {
      const first = await client().chat.completions.create({ model, messages, tools });
      const { message } = first.choices[0];
      assert.deepEqual(message.tool_calls.map((call) => call.function.name), ["get_weather", "get_time"]);
      assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "some city" });
      const results = message.tool_calls.map((call, at) => ({
        role: "tool",
        tool_call_id: call.id,
        content: `result ${at}`,
      }));
      const second = await client().chat.completions.create({
        model,
        messages: [...messages, message, ...results],
        tools,
        tool_choice: "none",
      });
      assert.equal(second.choices[0].message.content, "Results: result 0, result 1");
    });

    test("the stream helper gathers tool calls", async () => {
      const stream = client().chat.completions.stream({ model, messages, tools });
      const final = await stream.finalChatCompletion();
      assert.equal(final.choices[0].message.tool_calls.length, 2);
      assert.equal(final.choices[0].finish_reason, "tool_calls");
    });

    test("a JSON schema", async () => {
      const done = await client().chat.completions.parse({
        model,
        messages,
        response_format: { type: "json_schema", json_schema: { name: "city", schema: parameters, strict: true } },
      });
      assert.deepEqual(done.choices[0].message.parsed, { city: "some city" });
    });

    test("a response", async () => {
      const response = await client().responses.create({ model, input: "Hello there" });
      assert.equal(response.output_text, "Echo: Hello there");
      assert.equal(response.status, "completed");
    });

    test("a streamed response with tools, gone on with by its id", async () => {
      const offered = tools.map(({ function: { name } }) => ({ type: "function", name, parameters, strict: true }));
      const stream = client().responses.stream({ model, input: "Hello there", tools: offered });
      const kinds = new Set();
      for await (const event of stream) kinds.add(event.type);
      const first = await stream.finalResponse();
      const calls = first.output.filter((item) => item.type === "function_call");
      assert.equal(calls.length, 2);
      assert.ok(kinds.has("response.function_call_arguments.done"));
      const second = await client().responses.create({
        model,
        previous_response_id: first.id,
        input: calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "fine" })),
        tools: offered,
        tool_choice: "none",
      });
      assert.equal(second.output_text, "Results: fine, fine");
    });
  });
}

test("models", async () => {
  const ids = [];
  for await (const model of client().models.list()) ids.push(model.id);
  assert.ok(ids.includes("plain/m1") && ids.includes("hermes-router:fast"));
});

describe("errors raise the SDK's own classes", () => {
  const asked = (model, more) => client(more).chat.completions.create({ model, messages });
  test("a wrong key", () => assert.rejects(asked("plain/m1", { apiKey: "k-wrong" }), OpenAI.AuthenticationError));
  test("an unknown model", () => assert.rejects(asked("plain/m9"), OpenAI.NotFoundError));
  test("nobody left", () => assert.rejects(asked("broken/m1"), OpenAI.InternalServerError));
  test("a bad request", () => assert.rejects(asked("refusing/m1"), OpenAI.BadRequestError));
  test("a bad field, by name", async () => {
    const wrong = client().chat.completions.create({ model: "plain/m1", messages, temperature: "hot" });
    await assert.rejects(wrong, (error) => error instanceof OpenAI.BadRequestError && error.param === "temperature");
  });
});
