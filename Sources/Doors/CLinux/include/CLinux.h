#ifndef FRESHTRACK_CLINUX_H
#define FRESHTRACK_CLINUX_H

// Calls that Swift's Glibc module hides: they need _GNU_SOURCE, which a header imported by Swift must not define.

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  CLINUX_READABLE = 0x001,
  CLINUX_WRITABLE = 0x004,
  CLINUX_ERROR = 0x008,
  CLINUX_HANGUP = 0x010,
  CLINUX_PEER_CLOSED = 0x2000,
};

typedef struct {
  uint32_t events;
  uint64_t token;
} clinux_event;

/// epoll_create1(EPOLL_CLOEXEC).
int clinux_poll_create(void);
/// Level-triggered epoll_ctl. Each returns 0, or -1 with errno set.
int clinux_poll_add(int poll, int descriptor, uint32_t events, uint64_t token);
int clinux_poll_modify(int poll, int descriptor, uint32_t events, uint64_t token);
int clinux_poll_remove(int poll, int descriptor);
/// Waits up to `timeout_ms` (-1: for ever) and fills at most `count` (<= 256) events. Returns their number, or -1.
int clinux_poll_wait(int poll, clinux_event *events, int count, int timeout_ms);

/// ppoll without a signal mask: waits at most `nanoseconds`.
int clinux_poll_descriptors(struct pollfd *descriptors, size_t count, int64_t nanoseconds);

/// accept4(SOCK_NONBLOCK | SOCK_CLOEXEC); `address` has room for `*length` bytes.
int clinux_accept(int listener, void *address, uint32_t *length);
/// A non-blocking counter that wakes a poll: eventfd.
int clinux_wake_create(void);
/// getrandom(2), whole or -1.
int clinux_random(void *bytes, size_t count);
/// One pointer for each thread: the event loop that runs on it, or NULL.
void *clinux_thread_loop(void);
void clinux_set_thread_loop(void *loop);
/// CLOCK_MONOTONIC in nanoseconds, as the calling thread is to see it.
uint64_t clinux_monotonic(void);
/// From now on the calling thread sees `nanoseconds`, until it is set again; 0: it goes on from what it is.
void clinux_set_thread_time(uint64_t nanoseconds);

#endif
