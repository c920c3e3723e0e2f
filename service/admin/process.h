#ifndef LK_ADMIN_PROCESS_H
#define LK_ADMIN_PROCESS_H

#include <stdint.h>

/* What the kernel says of this process; 0 where it does not. */
struct process_state {
	uint64_t cpu_us;
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t fds;
	uint64_t fds_max;
};

void process_look(struct process_state *ret);

#endif
