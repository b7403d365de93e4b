/*
 * A fast SMSC for figures: one thread, epoll, and nothing but answers. So lean that what is
 * measured is the ESME. It speaks SMPP 3.4, lets everybody in, and keeps no text.
 *
 *   --port N      where it listens on 127.0.0.1 (0, as by default: a free port)
 *   --receipts    each submit_sm is followed by its receipt at once (text and TLVs)
 *   --ids dec     ids in decimal; hexadecimal otherwise
 *   --push N      each bind that can receive is sent N receipts nobody asked for
 *   --texts       ...or texts of handsets, with --push
 *   --window N    so many of those are unanswered at most (50)
 *   --push-when-told  they start with the first enquire_link, not with the bind
 *
 * It says one line for each thing, on stdout:
 *   listening PORT
 *   pushed N SECONDS            all of --push are answered
 *   closed SUBMITS DELIVERIES ANSWERS REFUSALS      an ESME has gone; refusals: not ESME_ROK
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BIND_RECEIVER = 1, BIND_TRANSMITTER = 2, SUBMIT_SM = 4, DELIVER_SM = 5, UNBIND = 6,
    BIND_TRANSCEIVER = 9, ENQUIRE_LINK = 0x15, RESPONSE = 0x80000000u,
};
enum { HEADER = 16, LONGEST = 65536 + 4096, IN = 1 << 20, OUT = 4 << 20 };
#define RINVCMDID 3u
/* One PDU may bring two, of at most so many octets; beyond it we stop reading and wait. */
#define ROOM 1024

static long port, receipts, decimal, push, texts, window = 50, when_told;
static uint64_t next_id = 0x10000;

typedef struct {
    int fd, receives, closing, starved; /* starved: PDUs wait for room */
    uint8_t *in, *out;
    size_t in_used, out_from, out_used;
    uint32_t sequence;
    long submits, deliveries, answers, refusals, left; /* left: of --push, to be sent */
    double since;
} Esme;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t read32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

static void write32(uint8_t *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static size_t room(const Esme *e) { return OUT - e->out_used; }

static void send_pdu(Esme *e, uint32_t command, uint32_t status, uint32_t sequence,
                     const void *body, size_t length) {
    uint8_t *at = e->out + e->out_used;
    write32(at, (uint32_t)(HEADER + length));
    write32(at + 4, command);
    write32(at + 8, status);
    write32(at + 12, sequence);
    if (length) memcpy(at + HEADER, body, length);
    e->out_used += HEADER + length;
}

static size_t write_id(char *to, uint64_t id) {
    return (size_t)snprintf(to, 24, decimal ? "%llu" : "%llx", (unsigned long long)id);
}

/* TON, NPI and digits, as they stand in a PDU with their NUL. */
typedef struct {
    uint8_t octets[23];
    size_t length;
} Address;

static const Address HANDSET = {"\1\1" "33612345678", 14}, SHORT_CODE = {"\3\0" "36200", 8};

static uint8_t *write_address(uint8_t *at, const Address *address) {
    memcpy(at, address->octets, address->length);
    return at + address->length;
}

/* Where the next field begins; NULL if this one is cut or has more than 20 digits. */
static const uint8_t *read_address(const uint8_t *at, const uint8_t *end, Address *to) {
    const uint8_t *nul = end - at > 2 ? memchr(at + 2, 0, (size_t)(end - at) - 2) : NULL;
    if (!nul || nul - at > 22) return NULL;
    to->length = (size_t)(nul - at) + 1;
    memcpy(to->octets, at, to->length);
    return nul + 1;
}

/* deliver_sm §4.6.1: a receipt for the id, or a text if there is none. */
static void deliver(Esme *e, const char *id, const Address *from, const Address *to) {
    uint8_t body[512], *at = body;
    char text[160];
    int length = id ? snprintf(text, sizeof text,
                               "id:%s sub:001 dlvrd:001 submit date:2611201010 done "
                               "date:2611201011 stat:DELIVRD err:000 text:hello", id)
                    : snprintf(text, sizeof text, "a reply of a handset, number %ld",
                               e->deliveries);
    *at++ = 0;
    at = write_address(write_address(at, from), to);
    *at++ = id ? 4 : 0;
    memset(at, 0, 8), at += 8;
    *at++ = (uint8_t)length;
    memcpy(at, text, (size_t)length), at += length;
    if (id) {
        size_t octets = strlen(id) + 1;
        *at++ = 0, *at++ = 0x1e, *at++ = 0, *at++ = (uint8_t)octets;
        memcpy(at, id, octets), at += octets;
        memcpy(at, "\x04\x27\x00\x01\x02", 5), at += 5;
    }
    send_pdu(e, DELIVER_SM, 0, ++e->sequence, body, (size_t)(at - body));
    e->deliveries++;
}

static void take_text(Esme *e, const uint8_t *pdu, size_t length) {
    char id[24];
    Address from, to;
    const uint8_t *end = pdu + length;
    size_t octets = write_id(id, next_id++);
    send_pdu(e, SUBMIT_SM | RESPONSE, 0, read32(pdu + 12), id, octets + 1);
    e->submits++;
    if (!receipts) return;
    const uint8_t *at = memchr(pdu + HEADER, 0, length - HEADER);
    if (at && (at = read_address(at + 1, end, &from)) && read_address(at, end, &to))
        deliver(e, id, &to, &from);
}

static void push_some(Esme *e) {
    char id[24];
    while (e->left > 0 && e->deliveries - e->answers < window && room(e) > ROOM) {
        write_id(id, next_id++);
        deliver(e, texts ? NULL : id, &HANDSET, &SHORT_CODE);
        e->left--;
    }
}

static void begin_push(Esme *e) {
    if (!e->receives || e->since != 0) return;
    e->left = push;
    e->since = now();
}

static void handle(Esme *e, const uint8_t *pdu, size_t length) {
    uint32_t command = read32(pdu + 4), sequence = read32(pdu + 12);
    switch (command) {
    case SUBMIT_SM:
        take_text(e, pdu, length);
        break;
    case DELIVER_SM | RESPONSE:
        e->answers++;
        e->refusals += read32(pdu + 8) != 0;
        if (push && e->answers == push) {
            printf("pushed %ld %.6f\n", push, now() - e->since);
            fflush(stdout);
        }
        break;
    case BIND_RECEIVER:
    case BIND_TRANSMITTER:
    case BIND_TRANSCEIVER:
        send_pdu(e, command | RESPONSE, 0, sequence, "smsc_c", 7);
        e->receives = command != BIND_TRANSMITTER;
        if (!when_told) begin_push(e);
        break;
    case ENQUIRE_LINK:
        begin_push(e);
        send_pdu(e, command | RESPONSE, 0, sequence, NULL, 0);
        break;
    case UNBIND:
        send_pdu(e, command | RESPONSE, 0, sequence, NULL, 0);
        e->closing = 1;
        break;
    default:
        if (!(command & RESPONSE)) send_pdu(e, RESPONSE, RINVCMDID, sequence, NULL, 0);
    }
    push_some(e);
}

/* The whole PDUs that are there, as long as there is room for answers; 0 if they are nonsense. */
static int handle_all(Esme *e) {
    size_t at = 0;
    e->starved = 0;
    while (e->in_used - at >= HEADER) {
        size_t length = read32(e->in + at);
        if (room(e) <= ROOM) {
            e->starved = 1;
            break;
        }
        if (length < HEADER || length > LONGEST) return 0;
        if (e->in_used - at < length) break;
        handle(e, e->in + at, length);
        at += length;
    }
    memmove(e->in, e->in + at, e->in_used -= at);
    return 1;
}

static int flush_out(Esme *e) {
    ssize_t sent = send(e->fd, e->out + e->out_from, e->out_used - e->out_from, MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN;
    e->out_from += (size_t)sent;
    if (e->out_from == e->out_used) {
        e->out_from = e->out_used = 0;
    } else if (e->out_from > OUT / 2) {
        memmove(e->out, e->out + e->out_from, e->out_used -= e->out_from);
        e->out_from = 0;
    }
    return 1;
}

/* Whether the session goes on. */
static int serve(Esme *e, uint32_t ready) {
    if (ready & (EPOLLIN | EPOLLHUP | EPOLLERR) && e->in_used < IN) {
        ssize_t got = recv(e->fd, e->in + e->in_used, IN - e->in_used, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) return 0;
        if (got > 0) e->in_used += (size_t)got;
    }
    do {
        if (!handle_all(e)) return 0;
        push_some(e);
        if (e->out_used && !flush_out(e)) return 0;
    } while (e->starved && room(e) > ROOM);
    return !(e->closing && !e->out_used);
}

static void meet(int epoll, int door) {
    int one = 1, fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Esme *e = calloc(1, sizeof *e);
    if (!e || !(e->in = malloc(IN)) || !(e->out = malloc(OUT))) abort();
    e->fd = fd;
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = e};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
}

static void leave(Esme *e) {
    printf("closed %ld %ld %ld %ld\n", e->submits, e->deliveries, e->answers, e->refusals);
    fflush(stdout);
    close(e->fd);
    free(e->in);
    free(e->out);
    free(e);
}

static void read_arguments(int count, char **words) {
    struct { const char *name; long *value; int flag; } known[] = {
        {"--port", &port, 0}, {"--receipts", &receipts, 1}, {"--push", &push, 0},
        {"--texts", &texts, 1}, {"--window", &window, 0}, {"--push-when-told", &when_told, 1},
    };
    for (int n = 1; n < count; n++) {
        size_t k = 0, all = sizeof known / sizeof *known;
        if (!strcmp(words[n], "--ids") && n + 1 < count) {
            decimal = !strcmp(words[++n], "dec");
            continue;
        }
        while (k < all && strcmp(words[n], known[k].name)) k++;
        if (k == all || (!known[k].flag && n + 1 == count)) {
            fprintf(stderr, "unknown argument or no value: %s\n", words[n]);
            exit(2);
        }
        *known[k].value = known[k].flag ? 1 : atol(words[++n]);
    }
}

static int listen_there(void) {
    int one = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&address, size) || listen(door, 128)) {
        perror("cannot listen");
        exit(1);
    }
    getsockname(door, (struct sockaddr *)&address, &size);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return door;
}

int main(int count, char **words) {
    read_arguments(count, words);
    signal(SIGPIPE, SIG_IGN);
    int door = listen_there(), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN}, ready[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, door, &wanted);
    for (;;) {
        int many = epoll_wait(epoll, ready, 64, -1);
        for (int n = 0; n < many; n++) {
            Esme *e = ready[n].data.ptr;
            if (!e) {
                meet(epoll, door);
            } else if (!serve(e, ready[n].events)) {
                leave(e);
            } else {
                wanted.events = (e->in_used < IN && room(e) > ROOM ? EPOLLIN : 0)
                              | (e->out_used ? EPOLLOUT : 0);
                wanted.data.ptr = e;
                epoll_ctl(epoll, EPOLL_CTL_MOD, e->fd, &wanted);
            }
        }
    }
}
