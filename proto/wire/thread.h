#ifndef LK_WIRE_THREAD_H
#define LK_WIRE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts a thread that takes no signals: those are the program's. False: no resources. */
bool thread_start(pthread_t *ret, void *(*body)(void *), void *arg) __attribute__((warn_unused_result));

/* A condition that is waited on by wire_now_ms' clock. */
void thread_condition_init(pthread_cond_t *c);

/* Waits until signalled or until_ms; false after until_ms. */
bool thread_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t until_ms);

#endif
