/* Echo load: CONNECTIONS connections each send SIZE bytes, wait for them to come back, and start over, for SECONDS.
   Prints exchanges per second. Usage: load PORT CONNECTIONS SIZE SECONDS */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 65536

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void send_all(int fd, const char *data, int size) {
  for (int sent = 0; sent < size;) {
    ssize_t n = send(fd, data + sent, size - sent, MSG_NOSIGNAL);
    if (n < 0) die("send");
    sent += n;
  }
}

int main(int argc, char **argv) {
  if (argc != 5) return fprintf(stderr, "usage: load PORT CONNECTIONS SIZE SECONDS\n"), 2;
  int connections = atoi(argv[2]), size = atoi(argv[3]);
  double seconds = atof(argv[4]);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  char *message = malloc(size), *scratch = malloc(1 << 20);
  static int missing[MAX_FD];
  memset(message, 'x', size);
  int poll = epoll_create1(0);

  for (int i = 0; i < connections; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0 || fd >= MAX_FD) die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
    missing[fd] = size;
    send_all(fd, message, size);
  }

  long exchanges = 0;
  double start = now(), end = start + seconds;
  while (now() < end) {
    struct epoll_event events[256];
    int ready = epoll_wait(poll, events, 256, 1000);
    if (ready == 0) return fprintf(stderr, "no answer for a second\n"), 1;
    if (ready < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      ssize_t n = recv(fd, scratch, 1 << 20, 0);
      if (n <= 0) die("recv");
      missing[fd] -= n;
      if (missing[fd] > 0) continue;
      exchanges++;
      missing[fd] = size;
      send_all(fd, message, size);
    }
  }
  printf("%.1f\n", exchanges / (now() - start));
  return 0;
}
