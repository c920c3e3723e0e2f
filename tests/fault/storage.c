#include "fault/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "support/wait.h"

/* Redis cannot take writes, or is not there. Besides the load, which goes on, each kind of call is made once and must be
 * answered with the right status; logging out must work wherever it can. */

#define PROBE_TIMEOUT_MS 3000
#define TOKEN_BYTES	 112
#define HANDLE_BYTES	 40
#define TAG_CHARS	 11 /* of a handle: TAG.NAME */

/* A session that the load does not know. */
struct probe {
	struct stage *stage;
	char token[TOKEN_BYTES];
	char handle[HANDLE_BYTES];
};

static enum lk_err create(struct probe *p, unsigned instance, struct lk_error *error)
{
	struct lk_session_create_request request = LK_SESSION_CREATE_REQUEST_INIT;
	lk_session *session = NULL;
	enum lk_err err;

	request.user = lk_text("probe");
	request.timeout_ms = PROBE_TIMEOUT_MS;
	err = lk_session_create(p->stage->clients[instance], &request, &session, error);
	if (err == LK_OK) {
		(void)snprintf(p->token, sizeof(p->token), "%s", lk_session_token(session));
		(void)snprintf(p->handle, sizeof(p->handle), "%s", lk_session_handle(session));
	}
	lk_session_free(&session);
	return err;
}

static enum lk_err get_token(struct probe *p, const char *token, unsigned instance, enum lk_verdict *ret_verdict)
{
	struct lk_session_get_request request = LK_SESSION_GET_REQUEST_INIT;

	request.token = lk_text(token);
	request.timeout_ms = PROBE_TIMEOUT_MS;
	return lk_session_get(p->stage->clients[instance], &request, ret_verdict, NULL, NULL);
}

static enum lk_verdict verdict_of(struct probe *p, unsigned instance)
{
	enum lk_verdict verdict;

	(void)!get_token(p, p->token, instance, &verdict);
	return verdict;
}

static enum lk_err update(struct probe *p, unsigned instance)
{
	struct lk_session_update_request request = LK_SESSION_UPDATE_REQUEST_INIT;
	struct lk_attribute attribute = {.key = lk_text("n"), .value = lk_text("1")};

	request.token = lk_text(p->token);
	request.set = &attribute;
	request.set_count = 1;
	request.timeout_ms = PROBE_TIMEOUT_MS;
	return lk_session_update(p->stage->clients[instance], &request, NULL, NULL, NULL);
}

static enum lk_err end_session(struct probe *p, unsigned instance)
{
	struct lk_session_revoke_request request = LK_SESSION_REVOKE_REQUEST_INIT;

	request.token = lk_text(p->token);
	request.timeout_ms = PROBE_TIMEOUT_MS;
	return lk_session_revoke(p->stage->clients[instance], &request, NULL, NULL);
}

static void expect_err(struct stage *s, const char *what, enum lk_err got, enum lk_err wanted)
{
	if (got != wanted)
		stage_wrong(s, "%s was answered %s, not %s", what, lk_err_name(got), lk_err_name(wanted));
}

static void expect_verdict(struct probe *p, const char *when, unsigned instance, enum lk_verdict wanted)
{
	enum lk_verdict got = verdict_of(p, instance);

	if (got != wanted)
		stage_wrong(p->stage, "%s instance %c says %s of the session, not %s", when, 'A' + (int)instance,
			    lk_verdict_name(got), lk_verdict_name(wanted));
}

/* A forged token needs no Redis. */
static void expect_forged_known(struct probe *p)
{
	char forged[TOKEN_BYTES];
	enum lk_verdict verdict;

	(void)snprintf(forged, sizeof(forged), "%s", p->token);
	forged[20] = forged[20] == 'A' ? 'B' : 'A';
	(void)!get_token(p, forged, 0, &verdict);
	if (verdict != LK_INVALID)
		stage_wrong(p->stage, "a forged token is %s, not INVALID", lk_verdict_name(verdict));
}

static void make(struct probe *p, struct stage *s)
{
	struct lk_error error = LK_ERROR_INIT;

	*p = (struct probe){.stage = s};
	if (create(p, 0, &error) != LK_OK)
		fail_msg("no session before the fault: %s", error.message);
}

static void expect_works_again(struct probe *p)
{
	enum lk_err err = LK_OK;

	for (unsigned i = 0; i < STAGE_INSTANCES; i++)
		if (!WAIT_FOR((err = create(p, i, NULL)) == LK_OK, STAGE_BOUND_MS))
			stage_wrong(p->stage, "instance %c has not recovered: %s", 'A' + (int)i, lk_err_name(err));
}

void fault_down_at_start(struct stage *s, unsigned round)
{
	struct probe alive, dead;
	enum lk_verdict verdict;

	(void)round;
	make(&alive, s);
	make(&dead, s);
	expect_err(s, "revoke", end_session(&dead, 1), LK_OK);
	for (unsigned i = 0; i < STAGE_INSTANCES; i++)
		latchkeyd_stop(&s->services[i]);
	redis_server_stop(&s->single);
	for (unsigned i = 0; i < STAGE_INSTANCES; i++)
		latchkeyd_start(&s->services[i]);

	for (unsigned i = 0; i < STAGE_INSTANCES; i++)
		if (latchkeyd_is_serving(&s->services[i]))
			stage_wrong(s, "instance %c calls itself SERVING without Redis", 'A' + (int)i);
	expect_forged_known(&alive);
	/* At first calls wait for Redis as long as they may; once it counts as down they are refused. */
	if (!WAIT_FOR(update(&alive, 0) == LK_E_UNAVAILABLE, STAGE_BOUND_MS))
		stage_wrong(s, "calls are not refused UNAVAILABLE without Redis");
	expect_err(s, "get without Redis", get_token(&alive, alive.token, 0, &verdict), LK_E_UNAVAILABLE);
	expect_verdict(&alive, "without Redis", 0, LK_UNKNOWN);
	expect_err(s, "revoke without Redis", end_session(&alive, 0), LK_E_UNAVAILABLE);

	redis_server_start(&s->single);
	stage_settle(s);
	for (unsigned i = 0; i < STAGE_INSTANCES; i++) {
		expect_verdict(&alive, "after Redis came", i, LK_VALID);
		expect_verdict(&dead, "after Redis came", i, LK_INVALID);
	}
	expect_err(s, "revoke after Redis came", end_session(&alive, 1), LK_OK);
	expect_verdict(&alive, "after its end", 0, LK_INVALID);
}

static void set_maxmemory(struct stage *s, const char *bytes)
{
	freeReplyObject(redis_server_command(&s->single, "CONFIG SET maxmemory %s", bytes));
}

void fault_out_of_memory(struct stage *s, unsigned round)
{
	struct probe alive, dead, next;

	(void)round;
	make(&alive, s);
	make(&dead, s);
	next = alive;
	/* Less than an empty Redis takes: it is full from now on, and evicts nothing. */
	set_maxmemory(s, "100000");
	expect_err(s, "create in a full Redis", create(&next, 0, NULL), LK_E_LIMIT);
	expect_err(s, "update in a full Redis", update(&alive, 1), LK_E_LIMIT);
	expect_verdict(&alive, "with Redis full", 0, LK_VALID);
	expect_err(s, "revoke in a full Redis", end_session(&dead, 0), LK_OK);
	for (unsigned i = 0; i < STAGE_INSTANCES; i++)
		expect_verdict(&dead, "with Redis full", i, LK_INVALID);
	if (!load_wait_advanced(s->load, STAGE_BOUND_MS))
		stage_wrong(s, "reads and logouts are not answered while Redis is full");
	set_maxmemory(s, "0");
	expect_works_again(&next);
	expect_verdict(&alive, "with memory again", 1, LK_VALID);
	expect_err(s, "update with memory again", update(&alive, 0), LK_OK);
}

/* Takes all that is free, to the last byte. */
static void fill_disk(const struct stage *s, char path[static TMPDIR_FILE_BYTES])
{
	static const char block[65536];
	ssize_t written = sizeof(block);
	int fd;

	tmpdir_file(&s->single.dir, "filler", path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	for (size_t step = sizeof(block); step > 0; step = written == (ssize_t)step ? step : step / 2)
		written = write(fd, block, step);
	close(fd);
}

/* What Redis has for the session: a tombstone's first byte is 2. */
static bool is_buried(const struct probe *p)
{
	char key[sizeof("lk1:s:{}:") + HANDLE_BYTES];
	redisReply *reply;
	bool is_tombstone;

	(void)snprintf(key, sizeof(key), "lk1:s:{%.*s}:%s", TAG_CHARS, p->handle, p->handle + TAG_CHARS + 1);
	reply = redis_server_try(&p->stage->single, "GETRANGE %s 0 0", key);
	is_tombstone = reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len == 1 && reply->str[0] == 2;
	freeReplyObject(reply);
	return is_tombstone;
}

static void judge_full_disk(struct stage *s, struct probe *alive, struct probe *dead)
{
	enum lk_verdict verdict;

	/* Redis notices at its next write, and tells at the one after. */
	if (!WAIT_FOR(update(alive, 0) == LK_E_UNAVAILABLE, STAGE_BOUND_MS))
		stage_wrong(s, "an update is not refused UNAVAILABLE with the disk full");
	expect_err(s, "create with the disk full", create(&(struct probe){.stage = s}, 0, NULL), LK_E_UNAVAILABLE);
	verdict = verdict_of(alive, 1);
	stage_note(s, "sessions are %s while the disk is full", lk_verdict_name(verdict));
	if (verdict == LK_INVALID)
		stage_wrong(s, "a full disk logs out");
	expect_err(s, "revoke with the disk full", end_session(dead, 0), LK_OK);
	expect_verdict(dead, "with the disk full", 0, LK_INVALID);
	if (!WAIT_FOR(verdict_of(dead, 1) == LK_INVALID, BOUND_MS))
		stage_wrong(s, "with the disk full, instance B does not learn of a revocation by A");
}

void fault_disk_full(struct stage *s, unsigned round)
{
	char filler[TMPDIR_FILE_BYTES];
	struct probe alive, dead, next;

	(void)round;
	make(&alive, s);
	make(&dead, s);
	next = alive;
	fill_disk(s, filler);
	judge_full_disk(s, &alive, &dead);
	(void)unlink(filler);
	expect_works_again(&next);
	expect_verdict(&alive, "with room again", 1, LK_VALID);
	if (!WAIT_FOR(is_buried(&dead), STAGE_BOUND_MS))
		stage_wrong(s, "the revocation that was pending has not reached Redis");
	stage_settle(s);
	/* Instances that remember nothing. */
	for (unsigned i = 0; i < STAGE_INSTANCES; i++) {
		latchkeyd_stop(&s->services[i]);
		latchkeyd_start_serving(&s->services[i]);
		expect_verdict(&dead, "after a restart", i, LK_INVALID);
	}
}
