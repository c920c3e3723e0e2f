#ifndef LK_WIRE_SPARE_H
#define LK_WIRE_SPARE_H

/* nng starts two task threads for each processor, which run all events of links, in case that callbacks block. Where none
 * does, many only stand in one another's way: see spare.c. This leaves `keep` of them, at least 1, and has the others wait.
 * No event may then wait for another one. For a program, which has nng to itself: a library must not do it to its host. */
typedef struct wire_spare wire_spare;

/* NULL: no thread can be spared, or it cannot be told; all goes on as it was. */
wire_spare *wire_spare_threads(unsigned keep) __attribute__((warn_unused_result));

/* All of them are nng's again. Nulls *s; accepts NULL in it. */
void wire_spare_release(wire_spare **s);

#endif
