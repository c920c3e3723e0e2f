#include "support/fixture.h"

#include <unistd.h>

#include "support/check.h"

struct rpc_options fixture_options(void)
{
	return (struct rpc_options){
	    .timeout_default_ms = CHECK_PATIENCE_S * 1000,
	    .timeout_max_ms = 2 * CHECK_PATIENCE_S * 1000,
	    .connections_max = 16,
	    .frames_in_flight_max = 64,
	    .frames_in_flight_per_connection_max = 32,
	    .limits =
		{
		    .connect_timeout_ms = CHECK_PATIENCE_S * 1000,
		    .idle_timeout_ms = CHECK_PATIENCE_S * 1000,
		    .stall_timeout_ms = CHECK_PATIENCE_S * 1000,
		    .input_bytes_max = 65536,
		    .output_bytes_max = 4 << 20,
		},
	};
}

static void make_keys(struct fixture *f)
{
	struct status st;

	check(crypto_start());
	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/latchkey-rpc-XXXXXX");
	check(mkdtemp(f->folder) != NULL);
	(void)snprintf(f->keyring, sizeof(f->keyring), "%s/keyring", f->folder);
	check(keyring_create(f->keyring, &st) == STATUS_OK);
	check(keyring_load(f->keyring, &f->keys, &st) == STATUS_OK);
}

static void make_realms(struct fixture *f)
{
	const struct session_policy policy = {
	    .idle_timeout_s = 900,
	    .absolute_timeout_s = 3600,
	    .sessions_max = 10,
	    .tombstone_s = 600,
	    .grace_s = 20,
	    .privileged_s = 300,
	};
	struct status st;

	f->classes[0] = (struct session_class){.name = SPAN_LIT("default"), .policy = policy};
	f->classes[1] = (struct session_class){.name = SPAN_LIT("remember-me"), .policy = policy};
	f->classes[1].policy.at_cap = AT_CAP_REFUSE;
	f->realm = (struct realm){.name = SPAN_LIT("default"), .class_count = 2, .classes = f->classes};
	f->realms = (struct realms){.count = 1, .realms = &f->realm};
	check(realms_seal(&f->realms, f->keys, &st) == STATUS_OK);
}

struct fixture *fixture_start(const struct rpc_options *options)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct rpc_options o = *options;
	struct status st;

	check(f != NULL);
	make_keys(f);
	make_realms(f);
	scripted_start(&f->script);
	o.realms = &f->realms;
	o.keys = f->keys;
	o.store = &f->script.store;
	o.events = f->events = event_log_new();
	check(f->events != NULL);
	check(rpc_server_new(&o, &f->server, &st) == STATUS_OK);
	(void)snprintf(f->url, sizeof(f->url), "ipc://%s/s", f->folder);
	check(rpc_server_listen(f->server, f->url, NULL, 0600, &st) == STATUS_OK);
	f->caller = caller_open(f->url);
	return f;
}

void fixture_stop(struct fixture **f)
{
	struct fixture *old = *f;

	*f = NULL;
	if (old->caller != NULL)
		caller_close(&old->caller);
	rpc_server_free(&old->server);
	/* What a test left in the store, because it lost a race against a deadline. */
	while (old->script.taken < scripted_count(&old->script))
		scripted_outcome(scripted_take(&old->script), STORE_LOST);
	check(wire_drain(CHECK_PATIENCE_S * 1000));
	scripted_stop(&old->script);
	event_log_free(&old->events);
	keyring_release(&old->keys);
	(void)unlink(old->keyring);
	(void)rmdir(old->folder);
	free(old);
}

static void keep_record(struct fixture *f, struct minted *m)
{
	struct store_op *op = scripted_take(&f->script);
	const span ok = SPAN_LIT("ok");
	const span record = op->command.argv[op->command.key_count];

	check(op->command.script == STORE_SCRIPT_SESSION_CREATE && op->command.is_write);
	m->record = bytes_of(record.ptr, record.len);
	scripted_strings(op, &ok, 1);
}

/* Random bytes: compression must not make them small. */
static void fill_attributes(Latchkey__V1__Attribute *attributes, Latchkey__V1__Attribute **all, uint8_t *bytes,
			    size_t each)
{
	static const char *const keys[] = {"cart", "theme"};

	for (size_t i = 0; i < 2; i++) {
		latchkey__v1__attribute__init(&attributes[i]);
		attributes[i].has_key = true;
		attributes[i].key = text(keys[i]);
		attributes[i].has_value = true;
		attributes[i].value = (ProtobufCBinaryData){each, bytes + i * each};
		all[i] = &attributes[i];
	}
}

struct minted fixture_mint(struct fixture *f, size_t attribute_bytes)
{
	Latchkey__V1__CreateSessionRequest request = LATCHKEY__V1__CREATE_SESSION_REQUEST__INIT;
	Latchkey__V1__CreateSessionResponse *created;
	Latchkey__V1__Attribute attributes[2];
	Latchkey__V1__Attribute *all[2];
	uint8_t *bytes = malloc(attribute_bytes + 2);
	Latchkey__V1__ReplyFrame *frame;
	struct minted m = {0};
	uint32_t id;

	check(bytes != NULL && getentropy(bytes, 2) == 0);
	for (size_t i = 0; i < attribute_bytes; i++)
		bytes[i] = (uint8_t)rand();
	fill_attributes(attributes, all, bytes, attribute_bytes / 2);
	request.has_user = true;
	request.user = text("ann");
	request.n_attributes = 2;
	request.attributes = all;
	id = caller_send(f->caller, frame_of_one(CREATE, &request.base, 0));
	keep_record(f, &m);
	frame = caller_wait(f->caller, id);
	check(frame->n_replies == 1 && frame->replies[0]->code == LATCHKEY__V1__CODE__OK);
	created = body_of(frame->replies[0], &latchkey__v1__create_session_response__descriptor);
	check(created->token.len == 105);
	memcpy(m.token, created->token.data, 105);
	body_free(created);
	reply_free(&frame);
	free(bytes);
	return m;
}

void minted_free(struct minted *m)
{
	bytes_free(&m->record);
}

Latchkey__V1__GetSessionRequest get_request(const char *token)
{
	Latchkey__V1__GetSessionRequest m = LATCHKEY__V1__GET_SESSION_REQUEST__INIT;

	m.has_token = true;
	m.token = text(token);
	return m;
}

Latchkey__V1__Code ask_one(struct fixture *f, const char *method, const ProtobufCMessage *body,
			   Latchkey__V1__ReplyFrame **ret)
{
	Latchkey__V1__ReplyFrame *frame = caller_ask(f->caller, frame_of_one(method, body, 0));

	check(frame->code == LATCHKEY__V1__CODE__OK && frame->n_replies == 1);
	*ret = frame;
	return frame->replies[0]->code;
}

Latchkey__V1__Code code_of(struct fixture *f, const char *method, const ProtobufCMessage *body)
{
	Latchkey__V1__ReplyFrame *frame;
	const Latchkey__V1__Code code = ask_one(f, method, body, &frame);

	reply_free(&frame);
	return code;
}

bool message_has(ProtobufCBinaryData message, const char *part)
{
	return memmem(message.data, message.len, part, strlen(part)) != NULL;
}

uint32_t fixture_get(struct fixture *f, const char *token, uint32_t timeout_ms)
{
	const Latchkey__V1__GetSessionRequest request = get_request(token);

	return caller_send(f->caller, frame_of_one(GET, &request.base, timeout_ms));
}

void fixture_expect(struct fixture *f, uint32_t id, Latchkey__V1__Code code)
{
	Latchkey__V1__ReplyFrame *frame = caller_wait(f->caller, id);

	check(frame->code == LATCHKEY__V1__CODE__OK && frame->n_replies == 1);
	if (frame->replies[0]->code != code)
		(void)fprintf(stderr, "code %d\n", (int)frame->replies[0]->code);
	check(frame->replies[0]->code == code);
	reply_free(&frame);
}

void fixture_expect_verdict(struct fixture *f, uint32_t id, Latchkey__V1__Verdict verdict, Latchkey__V1__Reason reason)
{
	Latchkey__V1__ReplyFrame *frame = caller_wait(f->caller, id);
	Latchkey__V1__GetSessionResponse *session;

	check(frame->replies[0]->code == LATCHKEY__V1__CODE__OK);
	session = body_of(frame->replies[0], &latchkey__v1__get_session_response__descriptor);
	if (session->verdict != verdict || session->reason != reason)
		(void)fprintf(stderr, "verdict %d, reason %d\n", (int)session->verdict, (int)session->reason);
	check(session->verdict == verdict && session->reason == reason);
	body_free(session);
	reply_free(&frame);
}

uint32_t fixture_list(struct fixture *f, uint32_t timeout_ms)
{
	Latchkey__V1__ListSessionsRequest request = LATCHKEY__V1__LIST_SESSIONS_REQUEST__INIT;

	request.has_user = true;
	request.user = text("ann");
	return caller_send(f->caller, frame_of_one(LIST, &request.base, timeout_ms));
}
