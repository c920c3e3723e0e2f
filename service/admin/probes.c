#include "admin/probes.h"

/* Design notes.
 *
 * Liveness is for what a restart cures: a clock of the service that has stopped, because its thread hangs. It asks nothing
 * of Redis, and takes no lock of the service: a lock that is never given back would hang the probe and say nothing. A
 * machine that is only slow must not be restarted, so a clock may be late by STANDS_MS, a thousand of its ticks.
 *
 * Readiness is for the load balancer. An instance that has never reached Redis is not ready: it may be misconfigured, and a
 * roll-out should stop at it. One that has lost Redis stays ready, as degraded: all instances lose it at the same moment, and with
 * none left the callers would get refused connections in place of UNAVAILABLE with a reason and a time to come back;
 * and what does not need Redis, and slots whose primaries are there, would be lost as well. */

/* A second is what a busy machine or a migration takes; probes come every few seconds. */
#define STANDS_MS 5000

static const char *const pulse_names[PULSES] = {"rpc", "redis"};

bool pulse_check(struct pulse *p, const uint64_t ticks[static PULSES], uint64_t now_ms, FILE *out)
{
	bool is_alive = true;

	for (size_t i = 0; i < PULSES; i++) {
		if (p->seen[i].moved_ms == 0 || p->seen[i].ticks != ticks[i]) {
			p->seen[i].ticks = ticks[i];
			p->seen[i].moved_ms = now_ms;
		} else if (now_ms >= p->seen[i].moved_ms + STANDS_MS) {
			is_alive = false;
			(void)fprintf(out, "the clock of %s has stood still for %llu ms\n", pulse_names[i],
				      (unsigned long long)(now_ms - p->seen[i].moved_ms));
		}
	}
	if (is_alive)
		(void)fputs("ok\n", out);
	return is_alive;
}

/* ---- Readiness ---- */

enum finding { PASS, DEGRADED, FAIL };

static const char *const finding_names[] = {[PASS] = "pass", [DEGRADED] = "degraded", [FAIL] = "fail"};

static enum finding check_listening(const struct admin_view *v)
{
	return v->is_listening ? PASS : FAIL;
}

static enum finding check_draining(const struct admin_view *v)
{
	return v->is_draining ? FAIL : PASS;
}

static enum finding check_keyring(const struct admin_view *v)
{
	return v->key_count > 0 ? PASS : FAIL;
}

static enum finding check_store(const struct admin_view *v)
{
	return v->store.is_ready ? PASS : v->has_been_ready ? DEGRADED : FAIL;
}

static enum finding check_realms(const struct admin_view *v)
{
	return !v->has_been_ready ? FAIL : v->knows_realms ? PASS : DEGRADED;
}

static const struct {
	const char *name;
	enum finding (*find)(const struct admin_view *v);
	const char *text; /* unless it passes */
} checks[] = {
    {"listening", check_listening, "the listeners for callers are not open yet"},
    {"draining", check_draining, "the service is shutting down"},
    {"keyring", check_keyring, "there is no keyring"},
    {"store", check_store, "most of Redis cannot be asked; calls that need it are UNAVAILABLE"},
    {"realms", check_realms, "it is not known whether realms were revoked; their calls are UNAVAILABLE"},
};

#define CHECKS (sizeof(checks) / sizeof(checks[0]))

struct readiness readiness_of(const struct admin_view *view)
{
	struct readiness r = {.is_ready = true};

	for (size_t i = 0; i < CHECKS; i++) {
		const enum finding f = checks[i].find(view);

		r.is_ready = r.is_ready && f != FAIL;
		r.is_degraded = r.is_degraded || f == DEGRADED;
	}
	r.is_degraded = r.is_degraded && r.is_ready;
	return r;
}

static const char *json_of(bool value)
{
	return value ? "true" : "false";
}

void readiness_write(const struct admin_view *view, FILE *out)
{
	const struct readiness r = readiness_of(view);

	(void)fprintf(out, "{\"ready\":%s,\"degraded\":%s}\n", json_of(r.is_ready), json_of(r.is_degraded));
	for (size_t i = 0; i < CHECKS; i++) {
		const enum finding f = checks[i].find(view);

		(void)fprintf(out, "{\"check\":\"%s\",\"result\":\"%s\"", checks[i].name, finding_names[f]);
		if (f != PASS)
			(void)fprintf(out, ",\"text\":\"%s\"", checks[i].text);
		(void)fputs("}\n", out);
	}
}
