/* bootload: closed-loop load for boot services over IPv4. Counts only answers that are complete and verified.
 *
 *   bootload dhcp --server IP --giaddr IP [--clients 64] [--arch 7] [--mac-first N] [--mac-cycle N] [--count N] [--seconds S]
 *   bootload tftp --server IP --path NAME --local FILE [--blksize 1468] [--windowsize 1] [--clients N] [--count N] [--seconds S]
 *   bootload http --server IP --path /NAME --local FILE [--port 80] [--clients N] [--count N] [--seconds S]
 *
 * Prints one JSON object on one line. Exit 0: all of --count (or, without it, until --seconds) and nothing wrong; 1: not so; 2: usage.
 */
#define _GNU_SOURCE
#include "load.h"
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LATENCIES = 1 << 22 };

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void die(const char *what)
{
    perror(what);
    exit(2);
}

struct content content_of(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        die(path);
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (data == MAP_FAILED)
        die(path);
    close(fd);
    return (struct content){data, (size_t)st.st_size};
}

struct tally tally_new(const char *mode)
{
    struct tally t = {.mode = mode, .began = now(), .latency = malloc(LATENCIES * sizeof(float))};
    if (!t.latency)
        die("malloc");
    return t;
}

void tally_checked(struct tally *t, double seconds, size_t bytes)
{
    if (t->latencies < LATENCIES)
        t->latency[t->latencies++] = (float)(seconds * 1e3);
    t->checked++;
    t->bytes += bytes;
}

void tally_wrong(struct tally *t, const char *problem)
{
    if (!t->wrong++)
        snprintf(t->problem, sizeof t->problem, "%s", problem);
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile(const struct tally *t, double share)
{
    return t->latencies ? (double)t->latency[(long)((double)(t->latencies - 1) * share)] : -1.0;
}

int tally_print(struct tally *t, long wanted)
{
    double seconds = now() - t->began;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    qsort(t->latency, (size_t)t->latencies, sizeof(float), by_size);
    printf("{\"mode\":\"%s\",\"seconds\":%.4f,\"checked\":%ld,\"wrong\":%ld,\"lost\":%ld,\"stray\":%ld,\"resent\":%ld,"
           "\"bytes\":%llu,\"per_s\":%.1f,\"mb_per_s\":%.2f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"blksize\":%d,\"windowsize\":%d,\"client_cpu_s\":%.3f,\"problem\":\"%s\"}\n",
           t->mode, seconds, t->checked, t->wrong, t->lost, t->stray, t->resent, (unsigned long long)t->bytes,
           (double)t->checked / seconds, (double)t->bytes / seconds / 1e6, percentile(t, 0.50), percentile(t, 0.99),
           t->blksize, t->windowsize, cpu, t->problem);
    return t->checked > 0 && t->wrong == 0 && (wanted == 0 || t->checked >= wanted) ? 0 : 1;
}

static const struct option LONG[] = {
    {"server", 1, 0, 's'}, {"port", 1, 0, 'p'}, {"path", 1, 0, 'f'}, {"local", 1, 0, 'l'}, {"giaddr", 1, 0, 'g'},
    {"count", 1, 0, 'n'}, {"seconds", 1, 0, 't'}, {"clients", 1, 0, 'c'}, {"blksize", 1, 0, 'b'}, {"windowsize", 1, 0, 'w'},
    {"arch", 1, 0, 'a'}, {"mac-first", 1, 0, 'm'}, {"mac-cycle", 1, 0, 'y'}, {0, 0, 0, 0},
};

static int usage(void)
{
    fprintf(stderr, "usage: bootload dhcp|tftp|http --server IP ... (see the head of bootload.c)\n");
    return 2;
}

static int parse(int argc, char **argv, struct options *o)
{
    for (int c; (c = getopt_long(argc, argv, "", LONG, NULL)) != -1;)
        switch (c) {
        case 's': o->server = optarg; break;
        case 'p': o->port = atoi(optarg); break;
        case 'f': o->path = optarg; break;
        case 'l': o->local = optarg; break;
        case 'g': o->giaddr = optarg; break;
        case 'n': o->count = atol(optarg); break;
        case 't': o->seconds = atof(optarg); break;
        case 'c': o->clients = atoi(optarg); break;
        case 'b': o->blksize = atoi(optarg); break;
        case 'w': o->windowsize = atoi(optarg); break;
        case 'a': o->arch = atoi(optarg); break;
        case 'm': o->mac_first = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'y': o->mac_cycle = (uint32_t)strtoul(optarg, NULL, 0); break;
        default: return -1;
        }
    return o->server ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct options o = {.seconds = 60, .clients = 0, .blksize = 1468, .windowsize = 1, .arch = 7, .mac_first = 0x100001};
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc < 2 || parse(argc - 1, argv + 1, &o) < 0)
        return usage();
    if (!strcmp(argv[1], "dhcp") && o.giaddr)
        return run_dhcp(&o);
    if (!strcmp(argv[1], "tftp") && o.path && o.local)
        return run_tftp(&o);
    if (!strcmp(argv[1], "http") && o.path && o.local)
        return run_http(&o);
    return usage();
}
