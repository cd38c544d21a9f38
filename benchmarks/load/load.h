/* bootload: what the three modes share. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct options {
    const char *server; /* IPv4 address */
    int port;           /* 0: the service's own */
    const char *path;   /* what is asked for: a TFTP file name or an HTTP path */
    const char *local;  /* the local copy that answers are compared with */
    const char *giaddr; /* dhcp: the address of this "relay", bound at port 67 */
    long count;         /* stop after this many checked answers */
    double seconds;     /* and after this long in any case */
    int clients;        /* concurrent readers or connections; dhcp: questions in flight */
    int blksize, windowsize;
    int arch;             /* dhcp: option 93 */
    uint32_t mac_first;   /* dhcp: 52:54:00:00:00:00 + this is the first client's MAC */
    uint32_t mac_cycle;   /* dhcp: begin again after this many MACs; 0: never */
};

/* The reference copy. Every byte that a server sends is compared with it, so an answer is right as a whole or is not counted. */
struct content {
    const uint8_t *data;
    size_t size;
};

/* One run's tally, printed as one JSON line. */
struct tally {
    const char *mode;
    double began;
    long checked, wrong, lost, stray, resent;
    uint64_t bytes;
    char problem[160]; /* of the first answer that was wrong */
    float *latency;    /* milliseconds, of the first LATENCIES checked answers */
    long latencies;
    int blksize, windowsize; /* as negotiated last; 0: not of this mode */
};

double now(void); /* seconds, monotonic */
void die(const char *what);
struct content content_of(const char *path);
struct tally tally_new(const char *mode);
void tally_checked(struct tally *, double seconds, size_t bytes);
void tally_wrong(struct tally *, const char *problem);
int tally_print(struct tally *, long wanted); /* the exit status: 0 only if all that was wanted was checked and nothing was wrong */

int run_dhcp(const struct options *);
int run_tftp(const struct options *);
int run_http(const struct options *);
