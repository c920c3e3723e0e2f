#ifndef LK_CALLERS_CALLERS_H
#define LK_CALLERS_CALLERS_H

/* Who may call what. The file is text:
 *
 *     # comment
 *     role    frontend  /latchkey.v1.Sessions/Get,/latchkey.v1.Sessions/Rotate  shop,default
 *     role    operator  *                                                       *
 *     caller  web-1     BASE64URL(32 bytes)                                     frontend
 *
 * A role is granted methods in realms; several lines of one role add to it. A method is a full path, all of a service
 * (/package.Service/ and an asterisk), or all (an asterisk); an asterisk also stands for all realms, those to come
 * included. Names of roles: a-z 0-9 - _, 1 to 32. A caller's line holds the hash of its credential (proto/credential), which
 * `latchkey credential new` prints, and its roles. Roles stand before the callers that have them.
 *
 * It is immutable and reference-counted: a reload makes a new one. Thread-safe. */

#include "base/span.h"
#include "base/status.h"

/* 1024 callers of 160 characters, a hundred roles, and as much again of comments. */
#define CALLERS_FILE_BYTES_MAX 524288
#define CALLERS_CALLERS_MAX    1024
#define CALLERS_GRANTS_MAX     1024 /* role lines */
#define CALLERS_ROLES_MAX      16   /* of a caller */

typedef struct callers callers;
struct caller;

/* INVALID_ARGUMENT with the file, the line and the remedy; FAILED_PRECONDITION when others may write the file. *ret is
 * untouched on failure. */
enum status_code callers_load(const char *path, callers **ret, struct status *st) MUST_CHECK;
/* The same of the file's bytes; path is for messages. */
enum status_code callers_read(const char *path, span text, callers **ret, struct status *st) MUST_CHECK;

callers *callers_retain(callers *a);
/* Nulls *a; accepts NULL in it. */
void callers_release(callers **a);

size_t callers_count(const callers *a);

/* Whose credential it is; NULL: nobody's. It takes as long for an id that is not known as for a wrong secret. Borrowed from
 * it. */
const struct caller *callers_find(const callers *a, span credential);

span caller_id(const struct caller *c);

/* Whether a role lets it call the method, in some realm or another; */
bool caller_may_call(const struct caller *c, span method);
/* and in this one. */
bool caller_may_call_in(const struct caller *c, span method, span realm);
/* Whether any of its roles names the realm. */
bool caller_knows_realm(const struct caller *c, span realm);

#endif
