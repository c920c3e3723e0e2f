#ifndef LK_TESTS_PROFILES_H
#define LK_TESTS_PROFILES_H

/* Whole calls about profiles, on a real Redis: plan, command, answer, as often as the plan asks for; and the state of one
 * profile to take away and put back, as a primary that is lost does. */

#include "calls.h"
#include "profile/profile.h"

#define TTL_S 3600

/* For each test: an empty Redis, a realm with tiers "default" and "long" and without a stream of changes. */
int profiles_reset(void **state);
void keep_changes(struct stage *s);

enum status_code do_change(struct stage *s, const struct profile_change_request *req,
			   struct profile_change_result *ret);
enum status_code do_get_profile(struct stage *s, const char *user, const struct profile_get_request *req,
				struct profile_get_result *ret);
enum status_code do_changes(struct stage *s, const struct profile_changes_request *req,
			    struct profile_changes_result *ret);
enum status_code do_ack(struct stage *s, const struct profile_ack_request *req, uint32_t *ret);
enum status_code do_dead(struct stage *s, const struct profile_dead_request *req, struct profile_changes_result *ret);

/* Of ann's profile; each fails the test unless it works. The version. */
uint64_t put_profile(struct stage *s, const char *name, const char *value);
uint64_t set_field(struct stage *s, const char *name, const char *value);
uint64_t set_counter(struct stage *s, const char *name, int64_t n);
uint64_t remove_field(struct stage *s, const char *name);
int64_t increment(struct stage *s, const char *name, int64_t by);
bool delete_profile(struct stage *s);

/* "-": it is not there. */
void expect_field(struct stage *s, const char *name, const char *value);
void expect_counter(struct stage *s, const char *name, int64_t n);
/* 0: there is none. */
uint64_t version_now(struct stage *s);

/* Everything that Redis has, to be put back once. */
struct snapshot_all;
struct snapshot_all *snapshot_all(struct stage *s);
void restore_all(struct stage *s, struct snapshot_all **shot);
void flush_all(struct stage *s);

#endif
