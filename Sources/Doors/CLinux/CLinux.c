#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Static_assert(CLINUX_READABLE == EPOLLIN && CLINUX_WRITABLE == EPOLLOUT && CLINUX_ERROR == EPOLLERR &&
                   CLINUX_HANGUP == EPOLLHUP && CLINUX_PEER_CLOSED == EPOLLRDHUP,
               "the flags of CLinux.h are epoll's");

int clinux_poll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int poll, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  return epoll_ctl(poll, operation, descriptor, &event);
}

int clinux_poll_add(int poll, int descriptor, uint32_t events, uint64_t token) {
  return control(poll, EPOLL_CTL_ADD, descriptor, events, token);
}

int clinux_poll_modify(int poll, int descriptor, uint32_t events, uint64_t token) {
  return control(poll, EPOLL_CTL_MOD, descriptor, events, token);
}

int clinux_poll_remove(int poll, int descriptor) { return control(poll, EPOLL_CTL_DEL, descriptor, 0, 0); }

int clinux_poll_wait(int poll, clinux_event *events, int count, int timeout_ms) {
  struct epoll_event ready[256];
  int found = epoll_wait(poll, ready, count < 256 ? count : 256, timeout_ms);
  for (int i = 0; i < found; i++) events[i] = (clinux_event){ready[i].events, ready[i].data.u64};
  return found;
}

int clinux_poll_descriptors(struct pollfd *descriptors, size_t count, int64_t nanoseconds) {
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  return ppoll(descriptors, count, &limit, NULL);
}

int clinux_accept(int listener, void *address, uint32_t *length) {
  return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int clinux_wake_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int clinux_random(void *bytes, size_t count) {
  unsigned char *next = bytes;
  while (count > 0) {
    ssize_t got = getrandom(next, count, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return -1;
    }
    next += got;
    count -= (size_t)got;
  }
  return 0;
}

static _Thread_local void *thread_loop;
// Zero on every thread of the program itself.
static _Thread_local uint64_t standing, ahead;

void *clinux_thread_loop(void) { return thread_loop; }
void clinux_set_thread_loop(void *loop) {
  thread_loop = loop;
  if (!loop) standing = ahead = 0;
}

uint64_t clinux_monotonic(void) {
  if (standing) return standing;
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec + ahead;
}

void clinux_set_thread_time(uint64_t nanoseconds) {
  uint64_t seen = clinux_monotonic();
  standing = ahead = 0;
  if (nanoseconds)
    standing = nanoseconds;
  else
    ahead = seen - clinux_monotonic();
}
