#ifndef LK_WIRE_SPARE_H
#define LK_WIRE_SPARE_H

/* nng starts two task threads for each processor, in case that callbacks block. Where none does, the second one is only
 * woken to wait for a lock that the first one holds. This keeps those out of the way that are more than one for each
 * processor which the process may use; two go on in any case. For a program, which has nng to itself: a library must
 * not do it to its host. */
typedef struct wire_spare wire_spare;

/* NULL: no thread can be spared, or it cannot be told; all goes on as it was. */
wire_spare *wire_spare_threads(void) __attribute__((warn_unused_result));

/* All of them are nng's again. Nulls *s; accepts NULL in it. */
void wire_spare_release(wire_spare **s);

#endif
