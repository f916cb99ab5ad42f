/* Answers 200 to every SIP request that comes in over UDP, and counts them: an application server that costs nothing.
 *
 * usage: sink PORT. Ends with SIGTERM and prints {"requests": N}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATAGRAM = 8192, RECEIVE_BUFFER = 4 << 20 };

static volatile sig_atomic_t stopping;
static long requests;

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

/* Whether a header line has this name, in its long or its compact form. */
static int is_named(const char *line, const char *name, char compact)
{
    size_t length = strlen(name);
    return (!strncasecmp(line, name, length) && line[length] == ':') || ((line[0] | 32) == compact && line[1] == ':');
}

/* Copies what a response has of its request (RFC 3261 8.2.6.2); returns its length, 0 for what is no request. */
static size_t answer(char *request, char *response)
{
    char *end = strstr(request, "\r\n\r\n"), *line = strstr(request, "\r\n");
    if (!end || !strncmp(request, "SIP/2.0 ", 8))
        return 0;
    size_t length = sprintf(response, "SIP/2.0 200 OK\r\n");
    for (line += 2; line < end + 2;) {
        char *next = strstr(line, "\r\n") + 2;
        int to = is_named(line, "To", 't');
        if (to || is_named(line, "Via", 'v') || is_named(line, "From", 'f') || is_named(line, "Call-ID", 'i') ||
            is_named(line, "CSeq", 0)) {
            memcpy(response + length, line, next - line);
            length += next - line;
            if (to && !memmem(line, next - line, ";tag=", 5))
                length += sprintf(response + length - 2, ";tag=sink\r\n") - 2;
        }
        line = next;
    }
    requests++;
    return length + sprintf(response + length, "Expires: 3600\r\nContent-Length: 0\r\n\r\n");
}

int main(int count, char **arguments)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 0)};
    static char request[DATAGRAM], response[DATAGRAM + 256];
    int sock = socket(AF_INET, SOCK_DGRAM, 0), size = RECEIVE_BUFFER;

    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (count != 2 || bind(sock, (void *)&own, sizeof own)) {
        perror("sink");
        return 2;
    }
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    while (!stopping) {
        struct pollfd readable = {sock, POLLIN, 0};
        struct sockaddr_in peer;
        socklen_t peer_length = sizeof peer;
        if (poll(&readable, 1, 100) <= 0)
            continue;
        ssize_t got = recvfrom(sock, request, sizeof request - 1, 0, (void *)&peer, &peer_length);
        if (got <= 0)
            continue;
        request[got] = 0;
        size_t length = answer(request, response);
        if (length)
            sendto(sock, response, length, 0, (void *)&peer, peer_length);
    }
    printf("{\"requests\":%ld}\n", requests);
    return 0;
}
