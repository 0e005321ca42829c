/* The client of the bench: raw sockets, one thread, epoll. Prints one JSON line. Linux.
 *
 *   load closed HEAD BODY CONNECTIONS SECONDS EXPECT PORT   each connection asks again as soon as it was answered
 *   load once   HEAD BODY CONNECTIONS RAMP EXPECT PORT      each asks once; the first requests are spread over RAMP s
 *   load rate   HEAD BODY PER_SECOND SECONDS EXPECT PORT PORT2   one request at a time, each sent to both ports in turn
 *
 * HEAD and BODY are files: the head of the request without content-length and the blank line, and the body, in which
 * "0000000000000000" is replaced by a number that is never the same. EXPECT is how many chunks a whole stream has (0:
 * no stream). A chunk says "t=<nanoseconds>;" (see mock.c); how late it is here is what went by since.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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

#define SECOND 1000000000LL
#define GIVE_UP (60 * SECOND)

enum state { IDLE, HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, TRAILER };

struct samples {
    uint32_t *us;
    size_t size, room;
};

struct connection {
    int fd, port;
    enum state state;
    int status, keep;
    char head[8192];
    size_t head_size;
    long long left; /* bytes of the body or of the chunk */
    char line[32];
    int line_size;
    int mark; /* how much of "t=" was matched, 3: in the number */
    long long number;
    int chunks;
    int64_t asked, starts;
    size_t out_sent;
    char *out;
};

static char *request;
static size_t request_size;
static size_t nonce_at;
static int expected;
static int poller;
static struct samples latency[2], first[2], late;
static long answered, failed, chunks_seen, bytes_seen;
static long whys[6];
static const char *why_names[] = {"status", "connection", "cut", "chunks", "timeout", "framing"};
enum { STATUS, CONNECTION, CUT, CHUNKS, TIMEOUT, FRAMING };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

static void add(struct samples *s, int64_t ns)
{
    if (s->size == s->room) {
        s->room = s->room ? s->room * 2 : 65536;
        s->us = realloc(s->us, s->room * sizeof *s->us);
    }
    s->us[s->size++] = ns < 0 ? 0 : ns / 1000 > UINT32_MAX ? UINT32_MAX : (uint32_t)(ns / 1000);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *name, struct samples *s)
{
    qsort(s->us, s->size, sizeof *s->us, by_size);
    printf(",\"%s\":{\"n\":%zu", name, s->size);
    if (s->size)
        printf(",\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f", s->us[s->size / 2] / 1e3, s->us[s->size * 99 / 100] / 1e3,
               s->us[s->size - 1] / 1e3);
    printf("}");
}

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(2);
    }
    char *data = malloc(1 << 20);
    *size = fread(data, 1, 1 << 20, f);
    fclose(f);
    return data;
}

static void prepare(const char *head_path, const char *body_path)
{
    size_t head, body;
    char *head_data = read_file(head_path, &head), *body_data = read_file(body_path, &body);
    request = malloc(head + body + 64);
    request_size = head;
    memcpy(request, head_data, head);
    request_size += sprintf(request + request_size, "content-length: %zu\r\n\r\n", body);
    memcpy(request + request_size, body_data, body);
    char *nonce = memmem(request + request_size, body, "0000000000000000", 16);
    nonce_at = nonce ? (size_t)(nonce - request) : 0;
    request_size += body;
}

static int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static void flush(struct connection *c)
{
    while (c->out_sent < request_size) {
        ssize_t n = send(c->fd, c->out + c->out_sent, request_size - c->out_sent, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* EPOLLOUT comes again; a broken connection shows when it is read */
        c->out_sent += n;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

static void ask(struct connection *c)
{
    static unsigned long long nonce;
    int fresh = c->fd < 0;
    if (fresh)
        c->fd = dial(c->port);
    if (!c->out)
        c->out = malloc(request_size);
    memcpy(c->out, request, request_size);
    if (nonce_at) {
        char digits[24];
        if (!nonce)
            nonce = (unsigned long long)now_ns() % 1000000000000ULL * 1000;
        sprintf(digits, "%016llu", nonce++ % 10000000000000000ULL);
        memcpy(c->out + nonce_at, digits, 16);
    }
    c->state = HEAD;
    c->head_size = 0;
    c->chunks = c->mark = c->line_size = c->status = 0;
    c->out_sent = 0;
    c->keep = 1;
    c->asked = now_ns();
    if (c->fd < 0)
        return;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(poller, fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->fd, &e);
    if (!fresh)
        flush(c);
}

static void drop(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->state = IDLE;
}

static int fail(struct connection *c, int why)
{
    failed++;
    whys[why]++;
    drop(c);
    return -1;
}

static void look(struct connection *c, const char *data, size_t size, int64_t now, int which)
{
    bytes_seen += size;
    if (!expected)
        return;
    const char *end = data + size;
    while (data < end) {
        if (c->mark == 0) {
            data = memchr(data, 't', end - data);
            if (!data)
                return;
            data++;
            c->mark = 1;
        } else if (c->mark == 1) {
            c->mark = *data == '=' ? 2 : *data == 't' ? 1 : 0;
            data += c->mark == 2 || c->mark == 1;
            c->number = 0;
        } else if (*data >= '0' && *data <= '9') {
            c->number = c->number * 10 + (*data++ - '0');
        } else {
            if (*data == ';' && c->number) {
                add(&late, now - c->number);
                if (!c->chunks++)
                    add(&first[which], now - c->asked);
                chunks_seen++;
            }
            c->mark = 0;
        }
    }
}

static int finish(struct connection *c, int64_t now, int which)
{
    if (c->status != 200)
        return fail(c, STATUS);
    if (expected && c->chunks != expected)
        return fail(c, CHUNKS);
    answered++;
    add(&latency[which], now - c->asked);
    c->state = IDLE;
    if (!c->keep)
        drop(c);
    return 1;
}

static int read_head(struct connection *c)
{
    c->head[c->head_size] = 0;
    c->status = atoi(c->head + 9);
    c->left = -1;
    int chunked = 0;
    for (char *line = strchr(c->head, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        if (!strncasecmp(line + 1, "content-length:", 15))
            c->left = atoll(line + 16);
        else if (!strncasecmp(line + 1, "transfer-encoding:", 18))
            chunked = 1;
        else if (!strncasecmp(line + 1, "connection: close", 17))
            c->keep = 0;
    }
    if (!chunked && c->left < 0)
        return 0;
    c->state = chunked ? CHUNK_SIZE : LENGTH;
    return 1;
}

/* 1: the answer is whole, 0: more is to come, -1: it failed */
static int take(struct connection *c, const char *data, size_t size, int64_t now, int which)
{
    while (size) {
        if (c->state == HEAD) {
            if (c->head_size == sizeof c->head - 1)
                return fail(c, FRAMING);
            c->head[c->head_size++] = *data++;
            size--;
            if (c->head_size >= 4 && !memcmp(c->head + c->head_size - 4, "\r\n\r\n", 4)) {
                if (!read_head(c))
                    return fail(c, FRAMING);
                if (c->state == LENGTH && !c->left)
                    return finish(c, now, which);
            }
        } else if (c->state == LENGTH || c->state == CHUNK_DATA) {
            size_t n = (long long)size < c->left ? size : (size_t)c->left;
            look(c, data, n, now, which);
            data += n;
            size -= n;
            c->left -= n;
            if (!c->left) {
                if (c->state == LENGTH)
                    return finish(c, now, which);
                c->state = CHUNK_SIZE;
            }
        } else { /* the size of a chunk, the line end after one, or the last line */
            char byte = *data++;
            size--;
            if (byte != '\n') {
                if (byte != '\r' && c->line_size < 31)
                    c->line[c->line_size++] = byte;
                continue;
            }
            int empty = !c->line_size;
            c->line[c->line_size] = 0;
            c->line_size = 0;
            if (c->state == TRAILER && empty)
                return finish(c, now, which);
            if (c->state == CHUNK_SIZE && !empty) {
                c->left = strtoll(c->line, NULL, 16);
                c->state = c->left ? CHUNK_DATA : TRAILER;
            }
        }
    }
    return 0;
}

static int receive(struct connection *c, int which)
{
    static char piece[256 * 1024];
    ssize_t n = recv(c->fd, piece, sizeof piece, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return fail(c, n < 0 || c->state == HEAD ? CONNECTION : CUT);
    return take(c, piece, n, now_ns(), which);
}

static double measure(struct connection *all, int count, int again, int64_t began, int64_t until)
{
    static struct epoll_event events[512];
    int open = count;
    int64_t looked = 0, now = now_ns();
    while (open) {
        int n = epoll_wait(poller, events, 512, 5);
        now = now_ns();
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                flush(c);
            if (c->state == IDLE || !(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                continue;
            int end = receive(c, 0);
            if (!end)
                continue;
            if (again && now < until)
                ask(c);
            else
                open--;
        }
        if (now - looked < 4000000)
            continue;
        looked = now;
        for (int i = 0; i < count; i++) {
            struct connection *c = &all[i];
            if (c->starts && now >= c->starts) {
                c->starts = 0;
                ask(c);
                if (c->fd < 0)
                    fail(c, CONNECTION), open--;
            } else if (c->state != IDLE && now - c->asked > GIVE_UP && now > until + GIVE_UP) {
                fail(c, TIMEOUT);
                open--;
            }
        }
    }
    return (now_ns() - began) / 1e9;
}

/* one at a time, without the event loop; each port has a connection of its own */
static void alternate(int *ports, double per_second, double seconds)
{
    struct connection both[2] = {{.fd = -1, .port = ports[0]}, {.fd = -1, .port = ports[1]}};
    int64_t began = now_ns(), step = (int64_t)(SECOND / per_second);
    for (long i = 0; i * step < seconds * SECOND; i++) {
        struct timespec at;
        int64_t due = began + i * step;
        at.tv_sec = due / SECOND;
        at.tv_nsec = due % SECOND;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
        for (int k = 0; k < 2; k++) {
            int which = (int)((i + k) % 2), end = 0;
            struct connection *c = &both[which];
            struct epoll_event e;
            ask(c);
            while (!end && c->fd >= 0) {
                if (epoll_wait(poller, &e, 1, 60000) <= 0) {
                    end = fail(c, TIMEOUT);
                    break;
                }
                if (e.data.ptr != c)
                    continue; /* the other one was closed by its server */
                if (e.events & EPOLLOUT)
                    flush(c);
                if (e.events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                    end = receive(c, which);
            }
        }
    }
}

int main(int count, char **words)
{
    if (count < 8)
        return fprintf(stderr, "usage: see load.c\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    prepare(words[2], words[3]);
    poller = epoll_create1(0);
    double number = atof(words[4]), seconds = atof(words[5]), took = seconds;
    expected = atoi(words[6]);
    if (!strcmp(words[1], "rate")) {
        int ports[2] = {atoi(words[7]), count > 8 ? atoi(words[8]) : atoi(words[7])};
        alternate(ports, number, seconds);
    } else {
        int n = (int)number, once = !strcmp(words[1], "once");
        struct connection *all = calloc(n, sizeof *all);
        int64_t began = now_ns();
        for (int i = 0; i < n; i++) {
            all[i].fd = -1;
            all[i].port = atoi(words[7]);
            all[i].starts = began + (once ? (int64_t)(seconds * SECOND * i / n) : 0) + 1;
        }
        took = measure(all, n, !once, began, began + (int64_t)(seconds * SECOND));
    }
    printf("{\"answered\":%ld,\"failed\":%ld,\"chunks\":%ld,\"bytes\":%ld,\"seconds\":%.4f", answered, failed, chunks_seen,
           bytes_seen, took);
    print_samples("latency", &latency[0]);
    print_samples("latency2", &latency[1]);
    print_samples("first", &first[0]);
    print_samples("late", &late);
    printf(",\"why\":{");
    for (int i = 0, any = 0; i < 6; i++)
        if (whys[i])
            printf("%s\"%s\":%ld", any++ ? "," : "", why_names[i], whys[i]);
    printf("}}\n");
    return 0;
}
