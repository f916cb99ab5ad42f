/* Registers users over UDP with digest: REGISTER, 401, REGISTER with credentials, 200 is one registration.
 *
 * So many registrations are under way at any time (-w), each begins when another has ended: the registrar is kept busy
 * and never flooded. With -r a fixed number begins each second instead. Nothing is sent twice: a registration that gets
 * no answer for -t milliseconds has failed. Users are called u000000, u000001, ... (-o says where to begin), one after
 * the other and round again. The result is one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "md5.h"

enum { MOST = 65536, BATCH = 64, DATAGRAM = 4096, SLOTS_OF_10_US = 200000, RECEIVE_BUFFER = 4 << 20 };

static const char USAGE[] =
    "usage: regload -p PORT [-h ADDRESS] [-s OWN_PORT] [-D DOMAIN] [-P PASSWORD] [-U] [-u USERS] [-o FIRST_USER]\n"
    "               [-w WINDOW] [-r PER_SECOND] [-c COUNT | -d SECONDS] [-t TIMEOUT_MS] [-e EXPIRES] [-x CONTACT_PARAMS]\n"
    "  -U  the user name of the credentials is user@domain, else user\n";

static struct {
    const char *host, *domain, *password, *contact_params;
    int port, own_port, window, users, first_user, timeout_ms, expires, full_names;
    long count;
    double seconds, rate;
} option = {"127.0.0.1", "ims.test", "pw", "", 0, 0, 64, 10000, 0, 2000, 3600, 0, 0, 10, 0};

typedef enum { FREE, ASKED, ANSWERED } State;

/* One registration that is under way. `serial` tells it from those that had the same place before. */
typedef struct {
    State state;
    unsigned serial;
    int user;
    double began, sent;
} Registration;

static Registration registrations[MOST];
static int free_places[MOST], free_count, active;
static long begun, done, failed, timeouts, stray;
static unsigned histogram[SLOTS_OF_10_US];
static unsigned run;
static int next_user, sock;

static char out_data[BATCH][2048], in_data[BATCH][DATAGRAM];
static struct iovec out_vector[BATCH], in_vector[BATCH];
static struct mmsghdr out_message[BATCH], in_message[BATCH];
static int out_count;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Out */

static void flush(void)
{
    for (int sent = 0; sent < out_count;) {
        int count = sendmmsg(sock, out_message + sent, out_count - sent, 0);
        if (count > 0)
            sent += count;
        else if (errno != EINTR && errno != EAGAIN && errno != ECONNREFUSED) {
            perror("regload: sendmmsg");
            exit(2);
        }
    }
    out_count = 0;
}

static void send_register(int place, const char *credentials, int cseq)
{
    const Registration *r = &registrations[place];
    out_vector[out_count].iov_len = snprintf(
        out_data[out_count], sizeof out_data[0],
        "REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%x-%d-%u-%d\r\nMax-Forwards: 70\r\n"
        "From: <sip:u%06d@%s>;tag=f%x%d%u\r\nTo: <sip:u%06d@%s>\r\nCall-ID: %x-%d-%u@regload\r\nCSeq: %d REGISTER\r\n"
        "Contact: <sip:u%06d@127.0.0.1:%d>%s;expires=%d\r\n%sUser-Agent: regload\r\nContent-Length: 0\r\n\r\n",
        option.domain, option.own_port, run, place, r->serial, cseq, r->user, option.domain, run, place, r->serial,
        r->user, option.domain, run, place, r->serial, cseq, r->user, option.own_port, option.contact_params,
        option.expires, credentials);
    if (++out_count == BATCH)
        flush();
}

static void begin(double at)
{
    int place = free_places[--free_count];
    Registration *r = &registrations[place];
    r->state = ASKED;
    r->serial++;
    r->user = option.first_user + next_user;
    r->began = r->sent = at;
    next_user = (next_user + 1) % option.users;
    begun++;
    active++;
    send_register(place, "", 1);
}

static void end(int place, double at, int succeeded)
{
    Registration *r = &registrations[place];
    if (succeeded) {
        long slot = (at - r->began) * 1e5;
        histogram[slot < SLOTS_OF_10_US ? slot : SLOTS_OF_10_US - 1]++;
        done++;
    } else
        failed++;
    r->state = FREE;
    active--;
    free_places[free_count++] = place;
}

/* In */

/* The text between the quotation marks after `key`; 0 when there is none or no room for it. */
static int quoted(const char *message, const char *key, char *text, size_t size)
{
    const char *from = strstr(message, key);
    const char *to = from ? strchr(from += strlen(key), '"') : NULL;
    if (!to || (size_t)(to - from) >= size)
        return 0;
    memcpy(text, from, to - from);
    text[to - from] = 0;
    return 1;
}

/* RFC 7616 3.4 with MD5 and qop=auth. 0 for a challenge that cannot be answered. */
static int answer_challenge(int place, const char *message)
{
    char realm[128], nonce[256], opaque[128], name[160], text[1024], credentials[1400];
    char ha1[MD5_HEX_SIZE], ha2[MD5_HEX_SIZE], response[MD5_HEX_SIZE];

    if (!quoted(message, "realm=\"", realm, sizeof realm) || !quoted(message, "nonce=\"", nonce, sizeof nonce))
        return 0;
    int has_opaque = quoted(message, "opaque=\"", opaque, sizeof opaque);
    int has_qop = strstr(message, "qop=") != NULL;
    snprintf(name, sizeof name, option.full_names ? "u%06d@%s" : "u%06d", registrations[place].user, option.domain);
    snprintf(text, sizeof text, "%s:%s:%s", name, realm, option.password);
    md5_hex(text, ha1);
    snprintf(text, sizeof text, "REGISTER:sip:%s", option.domain);
    md5_hex(text, ha2);
    snprintf(text, sizeof text, has_qop ? "%s:%s:00000001:0a4f113b:auth:%s" : "%s:%s:%s", ha1, nonce, ha2);
    md5_hex(text, response);
    int length = snprintf(credentials, sizeof credentials,
                          "Authorization: Digest username=\"%s\",realm=\"%s\",nonce=\"%s\",uri=\"sip:%s\","
                          "response=\"%s\",algorithm=MD5%s",
                          name, realm, nonce, option.domain, response,
                          has_qop ? ",qop=auth,nc=00000001,cnonce=\"0a4f113b\"" : "");
    if (has_opaque)
        length += snprintf(credentials + length, sizeof credentials - length, ",opaque=\"%s\"", opaque);
    snprintf(credentials + length, sizeof credentials - length, "\r\n");
    send_register(place, credentials, 2);
    return 1;
}

static void receive(char *message, int length, double at)
{
    unsigned its_run, serial;
    int place, status;

    message[length] = 0;
    const char *call_id = strcasestr(message, "\r\nCall-ID:");
    if (!call_id || sscanf(call_id + 10, " %x-%d-%u@", &its_run, &place, &serial) != 3 || its_run != run || place < 0 ||
        place >= option.window || registrations[place].serial != serial || registrations[place].state == FREE) {
        stray++;
        return;
    }
    Registration *r = &registrations[place];
    status = atoi(message + strlen("SIP/2.0 "));
    if (status < 200)
        return;
    if (status == 401 && r->state == ASKED) {
        r->state = ANSWERED;
        r->sent = at;
        if (!answer_challenge(place, message))
            end(place, at, 0);
    } else
        end(place, at, status == 200 && r->state == ANSWERED);
}

/* The run */

static void look_for_timeouts(double at)
{
    for (int place = 0; place < option.window; place++)
        if (registrations[place].state != FREE && at - registrations[place].sent > option.timeout_ms * 1e-3) {
            timeouts++;
            end(place, at, 0);
        }
}

static int more_to_begin(double elapsed)
{
    return option.count ? begun < option.count : elapsed < option.seconds;
}

/* Returns the seconds from the first request to the last answer. */
static double drive(void)
{
    double started = now(), at = started, scanned = started, last_answer = started;
    for (;;) {
        at = now();
        while (free_count && more_to_begin(at - started) &&
               (option.rate <= 0 || begun < (at - started) * option.rate))
            begin(at);
        flush();
        if (!active && !more_to_begin(at - started))
            return last_answer - started;
        int count = recvmmsg(sock, in_message, BATCH, MSG_DONTWAIT, NULL);
        if (count <= 0) {
            struct pollfd readable = {sock, POLLIN, 0};
            poll(&readable, 1, option.rate > 0 ? 1 : 50);
            count = recvmmsg(sock, in_message, BATCH, MSG_DONTWAIT, NULL);
        }
        at = now();
        for (int i = 0; i < count; i++)
            receive(in_data[i], in_message[i].msg_len, at);
        if (count > 0)
            last_answer = at;
        if (at - scanned > 0.1) {
            look_for_timeouts(at);
            scanned = at;
        }
    }
}

static double percentile_ms(double share)
{
    long seen = 0;
    for (int slot = 0; slot < SLOTS_OF_10_US; slot++)
        if ((seen += histogram[slot]) >= share * done)
            return slot * 0.01;
    return 0;
}

static void report(double elapsed)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    printf("{\"done\":%ld,\"failed\":%ld,\"timeouts\":%ld,\"stray\":%ld,\"elapsed\":%.3f,\"rate\":%.1f,"
           "\"own_cpu\":%.3f,\"p50_ms\":%.2f,\"p99_ms\":%.2f}\n",
           done, failed, timeouts, stray, elapsed, elapsed > 0 ? done / elapsed : 0.0, cpu, percentile_ms(0.5),
           percentile_ms(0.99));
}

static void open_socket(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(option.own_port)};
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(option.port)};
    socklen_t length = sizeof own;
    int size = RECEIVE_BUFFER;

    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (inet_pton(AF_INET, option.host, &peer.sin_addr) != 1 || bind(sock, (void *)&own, sizeof own) ||
        connect(sock, (void *)&peer, sizeof peer)) {
        perror("regload: socket");
        exit(2);
    }
    getsockname(sock, (void *)&own, &length);
    option.own_port = ntohs(own.sin_port);
    for (int i = 0; i < BATCH; i++) {
        out_vector[i].iov_base = out_data[i];
        in_vector[i].iov_base = in_data[i];
        in_vector[i].iov_len = DATAGRAM - 1;
        out_message[i].msg_hdr.msg_iov = &out_vector[i];
        in_message[i].msg_hdr.msg_iov = &in_vector[i];
        out_message[i].msg_hdr.msg_iovlen = in_message[i].msg_hdr.msg_iovlen = 1;
    }
}

int main(int count, char **arguments)
{
    int letter;
    while ((letter = getopt(count, arguments, "h:p:s:D:P:Uu:o:w:r:c:d:t:e:x:")) != -1)
        switch (letter) {
        case 'h': option.host = optarg; break;
        case 'p': option.port = atoi(optarg); break;
        case 's': option.own_port = atoi(optarg); break;
        case 'D': option.domain = optarg; break;
        case 'P': option.password = optarg; break;
        case 'U': option.full_names = 1; break;
        case 'u': option.users = atoi(optarg); break;
        case 'o': option.first_user = atoi(optarg); break;
        case 'w': option.window = atoi(optarg); break;
        case 'r': option.rate = atof(optarg); break;
        case 'c': option.count = atol(optarg); break;
        case 'd': option.seconds = atof(optarg); break;
        case 't': option.timeout_ms = atoi(optarg); break;
        case 'e': option.expires = atoi(optarg); break;
        case 'x': option.contact_params = optarg; break;
        default: fputs(USAGE, stderr); return 2;
        }
    if (option.port <= 0 || option.users <= 0 || option.window <= 0 || option.window > MOST) {
        fputs(USAGE, stderr);
        return 2;
    }
    open_socket();
    run = (unsigned)time(NULL) * 2654435761u ^ (unsigned)getpid();
    for (int place = option.window - 1; place >= 0; place--)
        free_places[free_count++] = place;
    report(drive());
    return failed ? 1 : 0;
}
