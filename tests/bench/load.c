/* The load that a server under test is put under; load.ts is its twin.

   Usage: load MODE TARGET CONNECTIONS SIZE DEPTH SECONDS
     MODE    echo, lines, frames: every connection keeps DEPTH messages of SIZE bytes in flight, and counts those back
             sink: sends, counts bytes; source: receives, counts bytes
             connect: CONNECTIONS at a time connect, exchange SIZE bytes, close; counts connections
             idle: connects, exchanges a byte, and holds the connections
     TARGET  a port of 127.0.0.1, or the path of a unix socket
   Prints "ready" once it is connected, starts when a line comes in, prints "COUNT SECONDS", and ends with its input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BLOCK (64 * 1024)
#define SCRATCH (256 * 1024)
#define MILLISECONDS_OF_SILENCE 5000

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

struct conn {
  int fd;
  int watches_output;
  long owed;     /* bytes that may be sent now */
  long sent;     /* bytes sent, of which the remainder by the block is the position in it */
  long received; /* bytes of the current message that have come back */
};

static const char *mode, *target;
static long size, block_size;
static char *block, scratch[SCRATCH];
static int poll_fd;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int is(const char *name) { return strcmp(mode, name) == 0; }

/* A whole number of messages, at least BLOCK bytes: any position in it is a position in the stream. */
static void make_block(void) {
  block_size = (BLOCK + size - 1) / size * size;
  block = malloc(block_size);
  memset(block, 'x', block_size);
  for (long at = 0; at < block_size; at += size) {
    if (is("lines")) block[at + size - 1] = '\n';
    if (is("frames")) {
      uint32_t length = htonl(size - 4);
      memcpy(block + at, &length, 4);
    }
  }
}

static void watch(struct conn *c, int operation, int events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(poll_fd, operation, c->fd, &event)) die("epoll_ctl");
}

/* A socket on its way to the target. Blocking ones come back connected. */
static int dial(int flags) {
  static unsigned count = 0;
  if (target[0] == '/') {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, target, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);
    if (fd < 0) die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    return fd;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(target))}, own = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | flags, 0), one = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  /* Many own addresses, so that ports in TIME_WAIT do not run out. */
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + count++ % 200);
  setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&own, sizeof own)) die("bind");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("connect");
  return fd;
}

/* A smallest message there and back: after it the server has accepted. */
static void prime(int fd) {
  const char *message = is("lines") ? "\n" : is("frames") ? "\0\0\0\1x" : "x";
  int length = is("frames") ? 5 : 1;
  if (send(fd, message, length, MSG_NOSIGNAL) != length) die("send");
  if (recv(fd, scratch, length, MSG_WAITALL) != length) die("recv");
}

/* Sends a block at the most, so that every connection has its turn. */
static void flush(struct conn *c) {
  if (c->owed > 0) {
    long at = c->sent % block_size, length = block_size - at < c->owed ? block_size - at : c->owed;
    if (length > BLOCK) length = BLOCK;
    ssize_t n = send(c->fd, block + at, length, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) die("send");
    if (n > 0) c->sent += n, c->owed -= n;
  }
  int wanted = c->owed > 0;
  if (wanted == c->watches_output) return;
  c->watches_output = wanted;
  watch(c, EPOLL_CTL_MOD, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Sends until `end`, then ends the stream and waits for the server to have read it all. */
static double sink(struct conn *conns, int connections, double end) {
  int open = connections, ending = 0;
  double count = 0;
  while (open > 0) {
    struct epoll_event events[256];
    if (!ending && now() >= end) {
      ending = 1;
      for (int i = 0; i < connections; i++) {
        watch(&conns[i], EPOLL_CTL_MOD, EPOLLIN);
        shutdown(conns[i].fd, SHUT_WR);
      }
    }
    int ready = epoll_wait(poll_fd, events, 256, ending ? MILLISECONDS_OF_SILENCE : 10);
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    if (ready == 0 && ending) return fprintf(stderr, "the server did not close\n"), exit(1), 0;
    for (int i = 0; i < ready; i++) {
      struct conn *c = events[i].data.ptr;
      if (events[i].events & EPOLLIN) {
        ssize_t n = recv(c->fd, scratch, SCRATCH, 0);
        if (n > 0) continue;
        if (!ending) return fprintf(stderr, "the server closed the connection\n"), exit(1), 0;
        if (n < 0 && errno != ECONNRESET) die("recv");
        watch(c, EPOLL_CTL_DEL, 0);
        open--;
      } else if (events[i].events & EPOLLOUT) {
        ssize_t n = send(c->fd, block, BLOCK, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) die("send");
        if (n > 0) count += n;
      }
    }
  }
  return count;
}

static double exchange(double end) {
  double bytes = 0, connections = 0;
  while (now() < end || (bytes == 0 && connections == 0)) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll_fd, events, 256, MILLISECONDS_OF_SILENCE);
    if (ready == 0) return fprintf(stderr, "no answer for five seconds\n"), exit(1), 0;
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < ready; i++) {
      struct conn *c = events[i].data.ptr;
      if (events[i].events & EPOLLIN) {
        ssize_t n = recv(c->fd, scratch, SCRATCH, 0);
        if (n == 0) return fprintf(stderr, "the server closed the connection\n"), exit(1), 0;
        if (n < 0 && errno != EAGAIN) die("recv");
        if (n < 0) n = 0;
        bytes += n;
        if (is("source")) continue;
        c->received += n;
        if (is("connect") && c->received >= size) {
          connections++;
          close(c->fd);
          *c = (struct conn){.fd = dial(SOCK_NONBLOCK), .watches_output = 1, .owed = size};
          watch(c, EPOLL_CTL_ADD, EPOLLOUT);
          continue;
        }
        c->owed += c->received / size * size;
        c->received %= size;
      }
      flush(c);
    }
  }
  return is("source") ? bytes : is("connect") ? connections : bytes / size;
}

int main(int argc, char **argv) {
  if (argc != 7) return fprintf(stderr, "usage: load MODE TARGET CONNECTIONS SIZE DEPTH SECONDS\n"), 2;
  mode = argv[1], target = argv[2];
  int connections = atoi(argv[3]), depth = atoi(argv[5]), connecting = is("connect");
  size = atol(argv[4]);
  double seconds = atof(argv[6]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  struct conn *conns = calloc(connections, sizeof *conns);
  poll_fd = epoll_create1(0);
  make_block();

  if (!connecting) {
    for (int i = 0; i < connections; i++) {
      struct conn *c = &conns[i];
      c->fd = dial(0);
      if (!is("sink") && !is("source")) prime(c->fd);
      fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
    }
  }
  printf("ready\n");
  fflush(stdout);
  if (getchar() == EOF) return 0;

  double start = now(), count = 0;
  for (int i = 0; i < connections; i++) {
    struct conn *c = &conns[i];
    if (connecting) *c = (struct conn){.fd = dial(SOCK_NONBLOCK), .watches_output = 1, .owed = size};
    else if (!is("sink") && !is("source") && !is("idle")) c->owed = depth * size;
    watch(c, EPOLL_CTL_ADD, connecting ? EPOLLOUT : is("sink") ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (!connecting) flush(c);
  }
  /* Ten thousand first messages take their time, which is no part of SECONDS. */
  if (is("sink")) count = sink(conns, connections, now() + seconds);
  else if (!is("idle")) count = exchange(now() + seconds);
  printf("%.3f %.6f\n", count, now() - start);
  fflush(stdout);
  while (getchar() != EOF) continue;
  return 0;
}
