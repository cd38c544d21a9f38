/* DISCOVERs of UEFI PXE clients as a relay passes them on (giaddr; RFC 2131 4.1), a fixed number of questions in flight.
 * The client's packet is that of OVMF as captured: options 53 57 55 97 94 93 60. Every OFFER is checked field by field. */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SLOTS = 1 << 14, BATCH = 64, ROOM = 2048, OPTIONS = 240 };
static const double PATIENCE = 1.0; /* seconds after which a question counts as lost */

struct question {
    uint32_t number; /* counted from 1; 0: this slot is free. The xid is `salt` and this */
    uint32_t mac;    /* the last four octets */
    double sent;
};

struct relay {
    int fd;
    struct sockaddr_in server;
    in_addr_t giaddr;
    int arch;
    uint8_t packet[BATCH][ROOM];
    size_t length;
    size_t at_mac_in_uuid; /* where the template's option 97 keeps the MAC */
    struct question slot[SLOTS];
    uint32_t next;
    uint32_t salt; /* a late answer to an earlier run is then a stray, not an answer to this one */
    int in_flight;
};

struct offer {
    const uint8_t *option[256];
    uint8_t length[256];
};

static uint8_t *put(uint8_t *p, uint8_t code, const void *value, uint8_t length)
{
    p[0] = code;
    p[1] = length;
    memcpy(p + 2, value, length);
    return p + 2 + length;
}

static void build_template(struct relay *r, int arch)
{
    static const uint8_t wanted[] = {1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43,
                                     50, 51, 54, 58, 59, 60, 66, 67, 97, 128, 129, 130, 131, 132, 133, 134, 135};
    uint8_t *b = r->packet[0], uuid[17] = {0}, architecture[2] = {(uint8_t)(arch >> 8), (uint8_t)arch};
    char class[40];
    int class_length = snprintf(class, sizeof class, "PXEClient:Arch:%05d:UNDI:003000", arch);
    memset(b, 0, ROOM);
    memcpy(b, "\x01\x01\x06\x01", 4); /* BOOTREQUEST, Ethernet, hlen 6, one hop */
    memcpy(b + 24, &r->giaddr, 4);
    memcpy(b + 28, "\x52\x54", 2);
    memcpy(b + 236, "\x63\x82\x53\x63", 4);
    uint8_t *p = put(b + OPTIONS, 53, "\x01", 1);
    p = put(p, 57, "\x05\xc0", 2);
    p = put(p, 55, wanted, sizeof wanted);
    r->at_mac_in_uuid = (size_t)(p - b) + 2 + 13;
    p = put(p, 97, uuid, sizeof uuid);
    p = put(p, 94, "\x01\x03\x00", 3);
    p = put(p, 93, architecture, 2);
    p = put(p, 60, class, (uint8_t)class_length);
    *p++ = 255;
    r->length = (size_t)(p - b) < 300 ? 300 : (size_t)(p - b);
    for (int i = 1; i < BATCH; i++)
        memcpy(r->packet[i], b, ROOM);
}

static struct question *ask(struct relay *r, const struct options *o, uint8_t *packet)
{
    uint32_t number = r->next++;
    uint32_t step = o->mac_cycle ? (number - 1) % o->mac_cycle : number - 1;
    uint32_t mac = htonl(o->mac_first + step), xid = htonl(number ^ r->salt);
    memcpy(packet + 4, &xid, 4);
    memcpy(packet + 30, &mac, 4);
    memcpy(packet + r->at_mac_in_uuid, &mac, 4);
    struct question *q = &r->slot[number % SLOTS];
    *q = (struct question){number, mac, now()};
    r->in_flight++;
    return q;
}

static void refill(struct relay *r, const struct options *o)
{
    static struct iovec iov[BATCH];
    static struct mmsghdr out[BATCH];
    while (r->in_flight < o->clients) {
        int n = 0;
        for (; n < BATCH && r->in_flight < o->clients; n++) {
            ask(r, o, r->packet[n]);
            iov[n] = (struct iovec){r->packet[n], r->length};
            out[n].msg_hdr = (struct msghdr){.msg_name = &r->server, .msg_namelen = sizeof r->server, .msg_iov = &iov[n], .msg_iovlen = 1};
        }
        for (int sent = 0, k; sent < n; sent += k)
            if ((k = sendmmsg(r->fd, out + sent, (unsigned)(n - sent), 0)) < 0) {
                if (errno != ECONNREFUSED)
                    die("sendmmsg");
                k = 0;
            }
    }
}

/* Returns what is malformed in the options, or NULL. Pads are skipped; the list must end with 255 inside the packet. */
static const char *read_options(const uint8_t *b, size_t n, struct offer *offer)
{
    memset(offer, 0, sizeof *offer);
    for (size_t i = OPTIONS; i < n;) {
        uint8_t code = b[i];
        if (code == 255)
            return NULL;
        if (code == 0) {
            i++;
            continue;
        }
        if (i + 2 > n || i + 2 + b[i + 1] > n)
            return "an option runs over the end";
        offer->option[code] = b + i + 2;
        offer->length[code] = b[i + 1];
        i += 2u + b[i + 1];
    }
    return "the options have no end";
}

static int is(const struct offer *offer, uint8_t code, const void *value, uint8_t length)
{
    return offer->option[code] && offer->length[code] == length && !memcmp(offer->option[code], value, length);
}

/* Where an offer leads its client to, in the three ways that servers use: a boot file at siaddr; a boot menu or discovery control in
 * option 43, which names its servers itself; or, for UEFI, siaddr alone, which sends the client to port 4011 there (dnsmasq answers so). */
static const char *lead_problem(const struct relay *r, const uint8_t *b, int has_menu)
{
    static const uint8_t zero[4];
    int names_us = !memcmp(b + 20, &r->server.sin_addr, 4), file = b[108] != 0;
    if (!names_us && memcmp(b + 20, zero, 4))
        return "siaddr is another server";
    if (file && !names_us)
        return "a boot file without siaddr";
    if (!file && !has_menu && !(names_us && r->arch >= 6))
        return "neither a boot file, nor option 43, nor a way to port 4011";
    return NULL;
}

/* What is wrong with an OFFER to this question, or NULL. */
static const char *problem_of(const struct relay *r, const struct question *q, const uint8_t *asked_uuid, const uint8_t *b, size_t n)
{
    static const uint8_t zero[4], mac_head[2] = {0x52, 0x54};
    struct offer offer;
    const char *malformed = read_options(b, n, &offer);
    if (malformed)
        return malformed;
    if (b[0] != 2 || b[1] != 1 || b[2] != 6)
        return "op, htype or hlen";
    if (memcmp(b + 28, mac_head, 2) || memcmp(b + 30, &q->mac, 4))
        return "chaddr is another client's";
    if (memcmp(b + 24, &r->giaddr, 4))
        return "giaddr was not kept";
    if (memcmp(b + 16, zero, 4))
        return "yiaddr is not 0.0.0.0: not a proxy's offer";
    if (!is(&offer, 53, "\x02", 1))
        return "no OFFER (option 53)";
    if (!is(&offer, 54, &r->server.sin_addr, 4))
        return "option 54 is not the server";
    if (!is(&offer, 60, "PXEClient", 9))
        return "option 60 is not PXEClient";
    if (!is(&offer, 97, asked_uuid, 17))
        return "option 97 was not echoed";
    return lead_problem(r, b, offer.length[43] > 0);
}

static void take(struct relay *r, struct tally *t, const struct sockaddr_in *from, const uint8_t *b, size_t n)
{
    uint32_t xid;
    if (n < OPTIONS + 4 || memcmp(b + 236, "\x63\x82\x53\x63", 4) || from->sin_addr.s_addr != r->server.sin_addr.s_addr) {
        tally_wrong(t, "not a DHCP packet of the server");
        return;
    }
    memcpy(&xid, b + 4, 4);
    uint32_t number = ntohl(xid) ^ r->salt;
    struct question *q = &r->slot[number % SLOTS];
    if (!number || q->number != number) { /* unknown, given up or answered before */
        t->stray++;
        return;
    }
    uint8_t uuid[17] = {0};
    memcpy(uuid + 13, &q->mac, 4);
    const char *problem = problem_of(r, q, uuid, b, n);
    if (problem)
        tally_wrong(t, problem);
    else
        tally_checked(t, now() - q->sent, n);
    q->number = 0;
    r->in_flight--;
}

static int receive(struct relay *r, struct tally *t)
{
    static uint8_t buffer[BATCH][ROOM];
    static struct sockaddr_in from[BATCH];
    static struct iovec iov[BATCH];
    static struct mmsghdr in[BATCH];
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){buffer[i], ROOM};
        in[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(r->fd, in, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < n; i++)
        take(r, t, &from[i], buffer[i], in[i].msg_len);
    return n;
}

static void give_up_old(struct relay *r, struct tally *t)
{
    static double swept;
    double at = now();
    if (at - swept < 0.1)
        return;
    swept = at;
    for (int i = 0; i < SLOTS; i++)
        if (r->slot[i].number && at - r->slot[i].sent > PATIENCE) {
            r->slot[i].number = 0;
            r->in_flight--;
            t->lost++;
        }
}

static struct relay *relay_open(const struct options *o)
{
    struct relay *r = calloc(1, sizeof *r);
    int room = 8 << 20, one = 1;
    struct timeval wait = {0, 100000};
    struct sockaddr_in me = {.sin_family = AF_INET, .sin_port = htons(67)};
    r->server = me;
    if (o->port)
        r->server.sin_port = htons((uint16_t)o->port);
    if (inet_pton(AF_INET, o->server, &r->server.sin_addr) != 1 || inet_pton(AF_INET, o->giaddr, &me.sin_addr) != 1)
        die("address");
    r->giaddr = me.sin_addr.s_addr;
    r->next = 1;
    r->salt = (uint32_t)getpid() << 16 ^ (uint32_t)(now() * 1e6);
    r->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(r->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (bind(r->fd, (struct sockaddr *)&me, sizeof me) < 0)
        die("bind port 67");
    r->arch = o->arch;
    build_template(r, o->arch);
    return r;
}

int run_dhcp(const struct options *given)
{
    struct options o = *given;
    if (o.clients < 1 || o.clients > SLOTS / 4)
        o.clients = 64;
    struct relay *r = relay_open(&o);
    struct tally t = tally_new("dhcp");
    while (now() - t.began < o.seconds && (!o.count || t.checked + t.wrong < o.count)) {
        refill(r, &o);
        receive(r, &t);
        give_up_old(r, &t);
    }
    return tally_print(&t, o.count);
}
