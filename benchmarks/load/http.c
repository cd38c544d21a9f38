/* HTTP/1.1 readers: keep-alive connections that each GET the whole file again and again, no pipelining.
 * A response counts when its status is 200, Content-Length is the file's size and every byte is the file's. */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 18, HEAD = 8192 };

struct connection {
    int fd;
    char head[HEAD + 1];
    size_t head_length;
    int busy; /* an answer is due */
    int in_body;
    size_t offset;
    double began;
};

struct run {
    const struct options *o;
    struct content file;
    struct sockaddr_in server;
    int epoll;
    long asked, ended, wanted;
    char request[512];
    struct tally t;
};

static void ask(struct run *r, struct connection *c)
{
    c->head_length = c->offset = 0;
    c->in_body = 0;
    c->busy = 1;
    c->began = now();
    r->asked++;
    size_t n = strlen(r->request);
    if (send(c->fd, r->request, n, MSG_NOSIGNAL) != (ssize_t)n) /* an idle connection has room for it */
        die("send");
}

static void open_connection(struct run *r, struct connection *c)
{
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&r->server, sizeof r->server) < 0)
        die("connect");
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e);
    ask(r, c);
}

static void end(struct run *r, struct connection *c, const char *problem)
{
    r->ended++;
    c->busy = 0;
    if (problem) {
        tally_wrong(&r->t, problem);
        close(c->fd);
        c->fd = -1;
        if (r->asked < r->wanted)
            open_connection(r, c);
        return;
    }
    tally_checked(&r->t, now() - c->began, c->offset);
    if (r->asked < r->wanted)
        ask(r, c);
}

static const char *head_problem(struct run *r, struct connection *c)
{
    static char text[160];
    c->head[c->head_length] = 0;
    if (strncmp(c->head, "HTTP/1.1 200 ", 13)) {
        snprintf(text, sizeof text, "%.*s", (int)strcspn(c->head, "\r\n\"\\"), c->head);
        return text;
    }
    for (char *line = strstr(c->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, "Content-Length:", 15))
            return strtoull(line + 15, NULL, 10) == r->file.size ? NULL : "Content-Length is not the size of the file";
        if (!strncasecmp(line, "Transfer-Encoding:", 18))
            return "a file came chunked";
    }
    return "no Content-Length";
}

/* Returns the number of octets used for the head, or 0 and sets the problem. */
static size_t take_head(struct run *r, struct connection *c, const uint8_t *b, size_t n, const char **problem)
{
    size_t before = c->head_length, part = n < HEAD - before ? n : HEAD - before;
    memcpy(c->head + before, b, part);
    char *stop = memmem(c->head, before + part, "\r\n\r\n", 4);
    if (!stop) {
        c->head_length += part;
        if (c->head_length == HEAD)
            *problem = "the head is too long";
        return part;
    }
    c->head_length = (size_t)(stop - c->head) + 4;
    c->in_body = 1;
    *problem = head_problem(r, c);
    return c->head_length - before;
}

static void take(struct run *r, struct connection *c, const uint8_t *b, size_t n)
{
    const char *problem = NULL;
    if (!c->in_body) {
        size_t used = take_head(r, c, b, n, &problem);
        b += used;
        n -= used;
    }
    if (!problem && n && c->offset + n > r->file.size)
        problem = "more bytes than the file has";
    else if (!problem && memcmp(b, r->file.data + c->offset, n))
        problem = "the bytes differ from the file";
    c->offset += n;
    if (problem || (c->in_body && c->offset == r->file.size))
        end(r, c, problem);
}

static void receive(struct run *r, struct connection *c)
{
    static uint8_t buffer[ROOM];
    ssize_t n = recv(c->fd, buffer, ROOM, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (!c->busy) { /* all was asked; the server may close, and no more */
        if (n > 0)
            tally_wrong(&r->t, "bytes that nobody asked for");
        close(c->fd);
        c->fd = -1;
    } else if (n > 0)
        take(r, c, buffer, (size_t)n);
    else if (n == 0)
        end(r, c, "the server closed in mid-answer");
    else
        end(r, c, strerror(errno));
}

int run_http(const struct options *given)
{
    struct options o = *given;
    o.clients = o.clients > 0 ? o.clients : 1;
    struct run r = {.o = &o, .file = content_of(o.local), .epoll = epoll_create1(EPOLL_CLOEXEC), .wanted = o.count ? o.count : o.clients};
    r.server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)(o.port ? o.port : 80))};
    if (inet_pton(AF_INET, o.server, &r.server.sin_addr) != 1)
        die("address");
    snprintf(r.request, sizeof r.request, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bootload\r\n\r\n", o.path, o.server);
    struct connection *connections = calloc((size_t)o.clients, sizeof *connections);
    struct epoll_event event[256];
    r.t = tally_new("http");
    for (int i = 0; i < o.clients && r.asked < r.wanted; i++)
        open_connection(&r, &connections[i]);
    while (r.ended < r.wanted && now() - r.t.began < o.seconds) {
        int n = epoll_wait(r.epoll, event, 256, 50);
        for (int i = 0; i < n; i++)
            receive(&r, event[i].data.ptr);
    }
    r.t.lost = r.asked - r.ended;
    return tally_print(&r.t, r.wanted);
}
