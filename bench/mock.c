/* The upstream of the bench: an OpenAI-compatible server that answers at once, always the same. Linux, one thread.
 *
 *   mock PORT
 *
 *   POST .../chat/completions   a JSON answer, or a stream where the body says "stream": true
 *   POST .../embeddings         one vector of 1536 numbers, or its base64 where the body asks for that
 *   GET  /control?chunks=N&interval_us=M   how many chunks a stream has and how far apart (0: as fast as the reader
 *                               takes them); answers with what was served so far
 *
 * Each chunk of a stream carries "t=<nanoseconds>;", the CLOCK_MONOTONIC instant at which it was made, so a client can
 * tell how late it is. Streams take turns: one chunk, one write. One whose reader is slow waits until it has caught up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { VECTOR = 1536, EVENTS = 512 };

struct buffer {
    char *data;
    size_t size, room;
};

struct peer {
    int fd;
    int writable_wanted, dead;
    struct buffer in, out;
    size_t out_sent;
    int streaming, queued, with_usage;
    long chunk, chunks;
    int64_t due, interval;
    struct peer *next;
};

static int poller;
static long stream_chunks = 200, stream_interval_us = 0;
static unsigned long served_chat, served_streams, served_chunks, served_embeddings;
static struct peer *queue_head, *queue_tail; /* streams by the time of their next chunk: all have one interval */
static struct peer *graves;
static struct buffer chat_answer, vector_answer, base64_answer;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void append(struct buffer *b, const void *data, size_t size)
{
    if (b->size + size > b->room) {
        b->room = (b->size + size) * 2;
        b->data = realloc(b->data, b->room);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void append_text(struct buffer *b, const char *text)
{
    append(b, text, strlen(text));
}

static void watch(struct peer *p, int writable)
{
    if (p->writable_wanted == writable)
        return;
    p->writable_wanted = writable;
    struct epoll_event e = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = p};
    epoll_ctl(poller, EPOLL_CTL_MOD, p->fd, &e);
}

static void enqueue(struct peer *p, int first)
{
    if (p->queued)
        return;
    p->queued = 1;
    if (first) {
        p->next = queue_head;
        queue_head = p;
        if (!queue_tail)
            queue_tail = p;
    } else {
        p->next = NULL;
        if (queue_tail)
            queue_tail->next = p;
        else
            queue_head = p;
        queue_tail = p;
    }
}

static struct peer *dequeue(void)
{
    struct peer *p = queue_head;
    queue_head = p->next;
    if (!queue_head)
        queue_tail = NULL;
    p->queued = 0;
    return p;
}

static void hang_up(struct peer *p)
{
    if (p->dead)
        return;
    p->dead = 1;
    close(p->fd);
    if (!p->queued) { /* a queued one is buried when its turn comes */
        p->next = graves;
        graves = p;
    }
}

static void flush(struct peer *p)
{
    while (!p->dead && p->out_sent < p->out.size) {
        ssize_t n = send(p->fd, p->out.data + p->out_sent, p->out.size - p->out_sent, MSG_NOSIGNAL);
        if (n > 0) {
            p->out_sent += n;
        } else if (errno == EAGAIN) {
            watch(p, 1);
            return;
        } else if (errno != EINTR) {
            hang_up(p);
            return;
        }
    }
    p->out.size = p->out_sent = 0;
    if (!p->dead)
        watch(p, 0);
}

static void chunk(struct buffer *b, const char *json)
{
    char head[32];
    size_t size = strlen(json);
    append(b, head, sprintf(head, "%zx\r\ndata: ", size + 8));
    append(b, json, size);
    append_text(b, "\n\n\r\n");
}

#define CHUNK_HEAD                                                                                                   \
    "{\"id\":\"chatcmpl-bench00000000000001\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"        \
    "\"model\":\"bench-1\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\",\"choices\":"
#define CHUNK(delta, finish) CHUNK_HEAD "[{\"index\":0,\"delta\":{" delta "},\"logprobs\":null,\"finish_reason\":" finish "}]}"

static void next_chunk(struct peer *p)
{
    char text[512];
    if (p->chunk == 0)
        chunk(&p->out, CHUNK("\"role\":\"assistant\",\"content\":\"\"", "null"));
    sprintf(text, CHUNK("\"content\":\" word t=%lld;\"", "null"), (long long)now_ns());
    chunk(&p->out, text);
    served_chunks++;
    if (++p->chunk == p->chunks) {
        chunk(&p->out, CHUNK("", "\"stop\""));
        if (p->with_usage) {
            sprintf(text, CHUNK_HEAD "[],\"usage\":{\"prompt_tokens\":25,\"completion_tokens\":%ld,\"total_tokens\":%ld}}",
                    p->chunks, p->chunks + 25);
            chunk(&p->out, text);
        }
        chunk(&p->out, "[DONE]");
        append_text(&p->out, "0\r\n\r\n");
        p->streaming = 0;
    }
    flush(p);
}

static void answer(struct peer *p, const char *body, size_t size)
{
    char head[160];
    append(&p->out, head,
           sprintf(head, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\nx-request-id: bench\r\n\r\n", size));
    append(&p->out, body, size);
    flush(p);
}

/* whether "name": value is in the body, with or without a space */
static int says(const char *body, size_t size, const char *name, const char *value)
{
    const char *end = body + size, *at = memmem(body, size, name, strlen(name));
    if (!at)
        return 0;
    at += strlen(name);
    while (at < end && (*at == ':' || *at == ' '))
        at++;
    return (size_t)(end - at) >= strlen(value) && !memcmp(at, value, strlen(value));
}

static void control(struct peer *p, const char *query)
{
    char text[256];
    const char *value;
    if ((value = strstr(query, "chunks=")))
        stream_chunks = atol(value + 7);
    if ((value = strstr(query, "interval_us=")))
        stream_interval_us = atol(value + 12);
    int size = sprintf(text, "{\"chat\":%lu,\"streams\":%lu,\"chunks\":%lu,\"embeddings\":%lu}", served_chat,
                       served_streams, served_chunks, served_embeddings);
    answer(p, text, size);
}

static void begin_stream(struct peer *p, const char *body, size_t size)
{
    served_streams++;
    p->streaming = 1;
    p->chunk = 0;
    p->chunks = stream_chunks;
    p->interval = stream_interval_us * 1000;
    p->due = now_ns();
    p->with_usage = says(body, size, "\"include_usage\"", "true");
    append_text(&p->out, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
                         "transfer-encoding: chunked\r\nx-request-id: bench\r\n\r\n");
    enqueue(p, 1);
}

static void serve(struct peer *p, const char *path, const char *body, size_t size)
{
    if (!strncmp(path, "/control", 8)) {
        control(p, path);
    } else if (strstr(path, "/chat/completions")) {
        if (says(body, size, "\"stream\"", "true")) {
            begin_stream(p, body, size);
        } else {
            served_chat++;
            answer(p, chat_answer.data, chat_answer.size);
        }
    } else if (strstr(path, "/embeddings")) {
        struct buffer *b = says(body, size, "\"encoding_format\"", "\"base64\"") ? &base64_answer : &vector_answer;
        served_embeddings++;
        answer(p, b->data, b->size);
    } else {
        answer(p, "{\"object\":\"list\",\"data\":[]}", 27);
    }
}

/* one whole request from the front of the input; its size, 0 where it is not complete. Bodies have a length. */
static size_t take(struct peer *p, char *data, size_t size)
{
    char path[256];
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = end - data + 4, body = 0;
    for (char *line = memchr(data, '\n', head); line && line < end; line = memchr(line + 1, '\n', end - line))
        if (!strncasecmp(line + 1, "content-length:", 15))
            body = strtoul(line + 16, NULL, 10);
    if (size < head + body)
        return 0;
    char *from = memchr(data, ' ', head), *to = from ? memchr(from + 1, ' ', head - (from + 1 - data)) : NULL;
    size_t length = to ? (size_t)(to - from - 1) : 0;
    if (length >= sizeof path)
        length = sizeof path - 1;
    if (to)
        memcpy(path, from + 1, length);
    path[length] = 0;
    serve(p, path, data + head, body);
    return head + body;
}

static void receive(struct peer *p)
{
    static char piece[256 * 1024];
    ssize_t n = recv(p->fd, piece, sizeof piece, 0);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            hang_up(p);
        return;
    }
    append(&p->in, piece, n);
    size_t done = 0, size;
    while (!p->dead && !p->streaming && (size = take(p, p->in.data + done, p->in.size - done)))
        done += size;
    memmove(p->in.data, p->in.data + done, p->in.size - done);
    p->in.size -= done;
}

static void accept_all(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct peer *p = calloc(1, sizeof *p);
        p->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = p};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
}

/* give every stream that is due its chunk; nanoseconds until the next is, -1 where there is none */
static int64_t run_streams(void)
{
    int64_t now = now_ns();
    for (int turns = 0; queue_head && turns < 4096; turns++) {
        if (queue_head->due > now && (now = now_ns()) < queue_head->due)
            return queue_head->due - now;
        struct peer *p = dequeue();
        if (p->dead) {
            p->next = graves;
            graves = p;
            continue;
        }
        next_chunk(p);
        p->due = p->interval ? p->due + p->interval : now;
        if (!p->dead && p->streaming && !p->out.size)
            enqueue(p, 0);
    }
    return queue_head ? 0 : -1;
}

static void bury(void)
{
    while (graves) {
        struct peer *p = graves;
        graves = p->next;
        free(p->in.data);
        free(p->out.data);
        free(p);
    }
}

static void prepare(void)
{
    char number[32];
    append_text(&chat_answer,
                "{\"id\":\"chatcmpl-bench00000000000001\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"bench-1\","
                "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The capital of France is Paris. It lies on "
                "the river Seine, and has been the seat of the country's government for most of its history.\",\"refusal\":null,"
                "\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":25,"
                "\"completion_tokens\":28,\"total_tokens\":53,\"prompt_tokens_details\":{\"cached_tokens\":0},"
                "\"completion_tokens_details\":{\"reasoning_tokens\":0}},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\"}");
    const char *head = "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":";
    const char *tail = "}],\"model\":\"bench-embed\",\"usage\":{\"prompt_tokens\":12,\"total_tokens\":12}}";
    append_text(&vector_answer, head);
    append_text(&base64_answer, head);
    append_text(&base64_answer, "\"");
    for (int i = 0; i < VECTOR; i++) {
        append(&vector_answer, number, sprintf(number, "%c%.8f", i ? ',' : '[', (i * 37 % 1000 - 500) / 9173.0));
    }
    for (int i = 0; i < VECTOR * 2 / 3; i++) /* 8 characters are 6 bytes: a pattern that makes finite floats */
        append_text(&base64_answer, "AADAPAAA");
    append_text(&vector_answer, "]");
    append_text(&base64_answer, "\"");
    append_text(&vector_answer, tail);
    append_text(&base64_answer, tail);
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
        perror("mock");
        exit(1);
    }
    return fd;
}

int main(int count, char **words)
{
    static struct epoll_event events[EVENTS];
    if (count != 2)
        return fprintf(stderr, "usage: mock PORT\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    prepare();
    poller = epoll_create1(0);
    int listener = listen_on(atoi(words[1]));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    int64_t wait = -1;
    for (;;) {
        int timeout = wait < 0 ? -1 : (int)((wait + 999999) / 1000000);
        int n = epoll_wait(poller, events, EVENTS, timeout);
        for (int i = 0; i < n; i++) {
            struct peer *p = events[i].data.ptr;
            if (!p) {
                accept_all(listener);
                continue;
            }
            if (p->dead)
                continue;
            if (events[i].events & EPOLLOUT) {
                flush(p);
                if (!p->dead && p->streaming && !p->out.size)
                    enqueue(p, 1);
            }
            if (!p->dead && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                receive(p);
        }
        wait = run_streams();
        bury();
    }
}
