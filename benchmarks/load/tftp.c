/* TFTP readers (RFC 1350, 2347 to 2349, 7440): a fixed number at once, each transfer on a socket of its own, as each client has.
 * Every block is compared with the local copy at its offset; a transfer counts when all of the file came, and nothing else. */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, ROOM = 65536, TRIES = 8 };
enum { RRQ = 1, DATA = 3, ACK = 4, ERROR = 5, OACK = 6 };
static const double RETRY = 1.0; /* seconds of silence */

struct reader {
    int fd;
    int known;        /* the server's transfer port is */
    long next;        /* block that is due, not masked to 16 bits */
    size_t offset;
    int in_window;    /* blocks since the last ACK */
    int gap_told;
    int blksize, windowsize;
    double began, heard;
    int tries;
    uint8_t last[600]; /* the last packet sent, for a retry */
    size_t last_length;
};

struct run {
    const struct options *o;
    struct content file;
    struct sockaddr_in server;
    int epoll;
    long started, ended, wanted;
    struct tally t;
};

static void send_packet(struct reader *c, const struct sockaddr_in *to)
{
    /* A full queue or an ICMP error is the same as a loss: the retry covers it. */
    (void)!sendto(c->fd, c->last, c->last_length, 0, (const struct sockaddr *)to, to ? sizeof *to : 0);
}

static void acknowledge(struct reader *c, long block)
{
    memcpy(c->last, (uint8_t[]){0, ACK, (uint8_t)(block >> 8), (uint8_t)block}, 4);
    c->last_length = 4;
    c->in_window = 0;
    send_packet(c, NULL);
}

static size_t add(uint8_t *at, const char *text)
{
    size_t n = strlen(text) + 1;
    memcpy(at, text, n);
    return n;
}

static void request(struct run *r, struct reader *c)
{
    char number[16];
    size_t n = 2;
    c->last[0] = 0;
    c->last[1] = RRQ;
    n += add(c->last + n, r->o->path);
    n += add(c->last + n, "octet");
    n += add(c->last + n, "tsize");
    n += add(c->last + n, "0");
    n += add(c->last + n, "blksize");
    snprintf(number, sizeof number, "%d", r->o->blksize);
    n += add(c->last + n, number);
    if (r->o->windowsize > 1) {
        n += add(c->last + n, "windowsize");
        snprintf(number, sizeof number, "%d", r->o->windowsize);
        n += add(c->last + n, number);
    }
    c->last_length = n;
    send_packet(c, &r->server);
}

static void start(struct run *r, struct reader *c)
{
    int room = 1 << 21;
    *c = (struct reader){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .next = 1, .blksize = 512, .windowsize = 1};
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e);
    c->began = c->heard = now();
    r->started++;
    request(r, c);
}

/* Ends a transfer (problem NULL: the file came whole) and begins the next on the same slot. */
static void end(struct run *r, struct reader *c, const char *problem)
{
    if (problem)
        tally_wrong(&r->t, problem);
    else
        tally_checked(&r->t, now() - c->began, c->offset);
    r->t.blksize = c->blksize;
    r->t.windowsize = c->windowsize;
    close(c->fd);
    c->fd = -1;
    r->ended++;
    if (r->started < r->wanted)
        start(r, c);
}

static const char *take_oack(struct run *r, struct reader *c, const uint8_t *b, size_t n)
{
    const char *p = (const char *)b + 2, *stop = (const char *)b + n;
    if (b[n - 1])
        return "OACK without its last NUL";
    while (p < stop) {
        const char *name = p, *value = name + strlen(name) + 1;
        if (value >= stop)
            return "OACK with a name and no value";
        long number = atol(value);
        p = value + strlen(value) + 1;
        if (!strcasecmp(name, "tsize") && (size_t)number != r->file.size)
            return "tsize is not the size of the file";
        if (!strcasecmp(name, "blksize") && (number < 8 || number > r->o->blksize))
            return "blksize is larger than asked";
        if (!strcasecmp(name, "windowsize") && (number < 1 || number > r->o->windowsize))
            return "windowsize is larger than asked";
        if (!strcasecmp(name, "blksize"))
            c->blksize = (int)number;
        if (!strcasecmp(name, "windowsize"))
            c->windowsize = (int)number;
    }
    acknowledge(c, 0);
    return NULL;
}

/* A block out of turn. Lock-step: a duplicate, not acknowledged again (RFC 1123 4.2.3.1). Windows: the last in order, once a gap (RFC 7440 4). */
static void out_of_turn(struct run *r, struct reader *c)
{
    if (c->windowsize > 1 && !c->gap_told) {
        acknowledge(c, c->next - 1);
        c->gap_told = 1;
        r->t.resent++;
    } else {
        r->t.stray++;
    }
}

/* Returns 1 when the transfer has ended. */
static int take_data(struct run *r, struct reader *c, const uint8_t *b, size_t n)
{
    size_t length = n - 4;
    const char *problem = NULL;
    if (((b[2] << 8) | b[3]) != (c->next & 0xffff)) {
        out_of_turn(r, c);
        return 0;
    }
    if (length > (size_t)c->blksize || c->offset + length > r->file.size)
        problem = "more bytes than the file has";
    else if (memcmp(b + 4, r->file.data + c->offset, length))
        problem = "the bytes differ from the file";
    else if (length < (size_t)c->blksize && c->offset + length != r->file.size)
        problem = "the file ended early";
    if (problem) {
        end(r, c, problem);
        return 1;
    }
    c->offset += length;
    c->next++;
    c->gap_told = 0;
    if (length < (size_t)c->blksize || ++c->in_window >= c->windowsize)
        acknowledge(c, c->next - 1);
    if (length < (size_t)c->blksize)
        end(r, c, NULL);
    return length < (size_t)c->blksize;
}

static int take(struct run *r, struct reader *c, const struct sockaddr_in *from, const uint8_t *b, size_t n)
{
    char text[128];
    const char *problem = NULL;
    if (n < 4 || from->sin_addr.s_addr != r->server.sin_addr.s_addr)
        return 0;
    if (!c->known) { /* the server's port for this transfer; from now on the kernel drops what others send */
        connect(c->fd, (const struct sockaddr *)from, sizeof *from);
        c->known = 1;
    }
    c->heard = now();
    c->tries = 0;
    if (b[1] == DATA)
        return take_data(r, c, b, n);
    if (b[1] == ERROR) {
        snprintf(text, sizeof text, "error %d: %.*s", b[3], (int)(n - 4 < 100 ? n - 4 : 100), (const char *)b + 4);
        for (char *p = text; *p; p++)
            if (*p < ' ' || *p == '"' || *p == '\\')
                *p = '.';
        problem = text;
    } else if (b[1] == OACK && c->next == 1 && !c->offset) {
        problem = take_oack(r, c, b, n);
    } else {
        r->t.stray++;
    }
    if (problem)
        end(r, c, problem);
    return problem != NULL;
}

static void receive(struct run *r, struct reader *c)
{
    static uint8_t *buffer;
    static struct sockaddr_in from[BATCH];
    static struct iovec iov[BATCH];
    static struct mmsghdr in[BATCH];
    if (!buffer)
        buffer = malloc((size_t)BATCH * ROOM);
    int most = c->windowsize < BATCH ? c->windowsize : BATCH;
    for (int i = 0; i < most; i++) {
        iov[i] = (struct iovec){buffer + (size_t)i * ROOM, ROOM};
        in[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(c->fd, in, (unsigned)most, 0, NULL);
    for (int i = 0; i < n; i++)
        if (take(r, c, &from[i], iov[i].iov_base, in[i].msg_len))
            return;
}

static void retry_silent(struct run *r, struct reader *readers)
{
    double at = now();
    for (int i = 0; i < r->o->clients; i++) {
        struct reader *c = &readers[i];
        if (c->fd < 0 || at - c->heard < RETRY)
            continue;
        c->heard = at;
        if (++c->tries > TRIES) {
            r->t.lost++;
            end(r, c, "the server fell silent");
            continue;
        }
        r->t.resent++;
        send_packet(c, c->known ? NULL : &r->server);
    }
}

static void drive(struct run *r, struct reader *readers)
{
    struct epoll_event event[256];
    double swept = now();
    while (r->ended < r->wanted && now() - r->t.began < r->o->seconds) {
        int n = epoll_wait(r->epoll, event, 256, 50);
        for (int i = 0; i < n; i++)
            receive(r, event[i].data.ptr);
        if (now() - swept > 0.1) {
            retry_silent(r, readers);
            swept = now();
        }
    }
}

int run_tftp(const struct options *given)
{
    struct options o = *given;
    o.clients = o.clients > 0 ? o.clients : 1;
    struct run r = {.o = &o, .file = content_of(o.local), .epoll = epoll_create1(EPOLL_CLOEXEC), .wanted = o.count ? o.count : o.clients};
    r.server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)(o.port ? o.port : 69))};
    if (inet_pton(AF_INET, o.server, &r.server.sin_addr) != 1)
        die("address");
    struct reader *readers = calloc((size_t)o.clients, sizeof *readers);
    r.t = tally_new("tftp");
    for (int i = 0; i < o.clients; i++)
        readers[i].fd = -1;
    for (int i = 0; i < o.clients && r.started < r.wanted; i++)
        start(&r, &readers[i]);
    drive(&r, readers);
    r.t.lost += r.started - r.ended; /* cut off by the time limit */
    return tally_print(&r.t, r.wanted);
}
