/* TLS, one-sided and mutual, with certificates made for the test. */

#include "support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/callers.h"
#include "support/ends.h"
#include "support/file.h"
#include "support/peer.h"
#include "support/process.h"
#include "support/tmpdir.h"

struct stage {
	struct tmpdir dir;
	char ca[TMPDIR_FILE_BYTES];
	char cert[TMPDIR_FILE_BYTES];
	char key[TMPDIR_FILE_BYTES];
	char other_ca[TMPDIR_FILE_BYTES];
	char other_cert[TMPDIR_FILE_BYTES];
	char other_key[TMPDIR_FILE_BYTES];
};

static void openssl(const char *const *argv)
{
	struct run_result r;

	run_capture(argv, NULL, NULL, BOUND_MS, &r);
	if (r.status != 0)
		fail_msg("openssl: %s", r.err);
	run_result_free(&r);
}

/* A certificate for localhost that signs itself: authority and server or client in one. */
static void make_certificate(const char *cert, const char *key)
{
	openssl((const char *const[]){"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
				      "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
				      "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert, NULL});
}

static int make_files(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	tmpdir_make(&s->dir);
	tmpdir_file(&s->dir, "cert", s->cert);
	tmpdir_file(&s->dir, "cert", s->ca);
	tmpdir_file(&s->dir, "key", s->key);
	tmpdir_file(&s->dir, "other-cert", s->other_cert);
	tmpdir_file(&s->dir, "other-cert", s->other_ca);
	tmpdir_file(&s->dir, "other-key", s->other_key);
	make_certificate(s->cert, s->key);
	make_certificate(s->other_cert, s->other_key);
	*state = s;
	return 0;
}

static int remove_files(void **state)
{
	struct stage *s = *state;

	assert_true(wire_drain(BOUND_MS));
	tmpdir_remove(&s->dir);
	free(s);
	return 0;
}

static wire_tls *new_tls(const struct wire_tls_options *options)
{
	wire_tls *tls = NULL;

	assert_int_equal(wire_tls_new(options, &tls), WIRE_OK);
	return tls;
}

static wire_tls *server_tls(const struct stage *s, bool mutual)
{
	return new_tls(&(struct wire_tls_options){
	    .is_server = true, .ca_file = mutual ? s->ca : NULL, .cert_file = s->cert, .key_file = s->key});
}

/* What a test's two ends are made of. */
struct pair {
	struct desk desk;
	struct caller caller;
	wire_tls *server;
	wire_tls *client;
};

static void pair_open(struct pair *p, const struct stage *s, bool mutual, const struct wire_tls_options *client,
		      const char *host)
{
	char url[PEER_URL_BYTES];

	memset(p, 0, sizeof(*p));
	caller_init(&p->caller);
	p->server = server_tls(s, mutual);
	p->client = new_tls(client);
	desk_open(&p->desk, "tls+tcp://127.0.0.1:0", &caller_limits, p->server);
	snprintf(url, sizeof(url), "tls+tcp://%s:%s", host, strrchr(desk_url(&p->desk), ':') + 1);
	caller_dial(&p->caller, url, &caller_limits, p->client);
	/* Both live on in those who use them. */
	wire_tls_release(&p->server);
	wire_tls_release(&p->client);
	assert_null(p->client);
}

static void pair_close(struct pair *p)
{
	caller_finish(&p->caller);
	desk_close(&p->desk);
}

static void expect_service(struct pair *p)
{
	assert_becomes(atomic_load(&p->caller.ready) == 1, BOUND_MS);
	for (uint32_t i = 0; i < 500; i++)
		caller_ask(&p->caller, i, i * 97 % 20000);
	assert_becomes(atomic_load(&p->caller.replies) == 500, BOUND_MS);
	assert_int_equal(p->caller.wrong, 0);
	assert_int_equal(strncmp(wire_link_peer(wire_channel_link(p->desk.last)), "tls+tcp:127.0.0.1:", 18), 0);
}

static void expect_refusal(struct pair *p)
{
	assert_becomes(atomic_load(&p->caller.closed) == 1, BOUND_MS);
	assert_int_equal(p->caller.ready, 0);
	assert_int_equal(p->desk.messages, 0);
}

static void a_verified_server_serves(void **state)
{
	struct stage *s = *state;
	struct pair p;

	pair_open(&p, s, false, &(struct wire_tls_options){.ca_file = s->ca}, "localhost");
	expect_service(&p);
	assert_int_equal(peer_count_sockets().connected, 2);
	assert_int_equal(peer_count_sockets().holding_back, 0);
	pair_close(&p);
}

static void the_expected_name_can_differ_from_the_host(void **state)
{
	struct stage *s = *state;
	struct pair p;

	pair_open(&p, s, false, &(struct wire_tls_options){.ca_file = s->ca, .server_name = "localhost"}, "127.0.0.1");
	expect_service(&p);
	pair_close(&p);
}

static void another_name_is_refused(void **state)
{
	struct stage *s = *state;
	struct pair p;

	pair_open(&p, s, false, &(struct wire_tls_options){.ca_file = s->ca, .server_name = "elsewhere"}, "localhost");
	expect_refusal(&p);
	assert_int_equal(p.caller.reason, WIRE_TLS);
	pair_close(&p);
}

static void an_unknown_authority_is_refused(void **state)
{
	struct stage *s = *state;
	struct pair p;

	pair_open(&p, s, false, &(struct wire_tls_options){.ca_file = s->other_ca}, "localhost");
	expect_refusal(&p);
	assert_int_equal(p.caller.reason, WIRE_TLS);
	pair_close(&p);
}

static void mutual_tls_serves_who_has_a_certificate(void **state)
{
	struct stage *s = *state;
	struct pair p;

	pair_open(&p, s, true, &(struct wire_tls_options){.ca_file = s->ca, .cert_file = s->cert, .key_file = s->key},
		  "localhost");
	expect_service(&p);
	pair_close(&p);
}

static void mutual_tls_refuses_who_has_none(void **state)
{
	struct stage *s = *state;
	struct pair p;

	pair_open(&p, s, true, &(struct wire_tls_options){.ca_file = s->ca}, "localhost");
	expect_refusal(&p);
	pair_close(&p);
}

static void mutual_tls_refuses_who_has_anothers(void **state)
{
	struct stage *s = *state;
	struct pair p;

	pair_open(&p, s, true,
		  &(struct wire_tls_options){.ca_file = s->ca, .cert_file = s->other_cert, .key_file = s->other_key},
		  "localhost");
	expect_refusal(&p);
	pair_close(&p);
}

static void one_client_dials_hosts_by_their_names(void **state)
{
	struct stage *s = *state;
	wire_tls *server = server_tls(s, false);
	wire_tls *client = new_tls(&(struct wire_tls_options){.ca_file = s->ca});
	struct desk *desk = calloc(1, sizeof(*desk));
	char url[PEER_URL_BYTES];

	desk_open(desk, "tls+tcp://127.0.0.1:0", &caller_limits, server);
	for (int i = 0; i < 6; i++) {
		struct caller c;
		bool good = i % 2 == 0;

		caller_init(&c);
		snprintf(url, sizeof(url), "tls+tcp://%s:%s", good ? "localhost" : "127.0.0.1",
			 strrchr(desk_url(desk), ':') + 1);
		caller_dial(&c, url, &caller_limits, client);
		assert_becomes(atomic_load(good ? &c.ready : &c.closed) == 1, BOUND_MS);
		caller_finish(&c);
	}
	wire_tls_release(&server);
	wire_tls_release(&client);
	desk_close(desk);
	free(desk);
}

static void bad_files_are_an_error_at_once(void **state)
{
	struct stage *s = *state;
	const struct wire_tls_options bad[] = {
	    {.is_server = true},
	    {.is_server = true, .cert_file = s->cert},
	    {.is_server = true, .key_file = s->key},
	    {.is_server = true, .cert_file = s->key, .key_file = s->cert},
	    {.is_server = true, .cert_file = "/no/such/file", .key_file = s->key},
	    {.is_server = true, .cert_file = s->dir.path, .key_file = s->key},
	    {.is_server = true, .cert_file = s->cert, .key_file = s->key, .ca_file = s->key},
	    {.ca_file = NULL},
	    {.ca_file = "/no/such/file"},
	    {.ca_file = "/dev/zero"},
	    {.ca_file = s->ca, .cert_file = s->cert},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wire_tls *tls = NULL;

		if (wire_tls_new(&bad[i], &tls) != WIRE_TLS)
			fail_msg("number %zu was taken", i);
		assert_null(tls);
	}
}

static const struct wire_link_events *accept_nobody(void *owner, wire_link *link, void **ret_owner)
{
	(void)owner;
	(void)link;
	(void)ret_owner;
	return NULL;
}

static void a_servers_settings_do_not_serve_a_client(void **state)
{
	struct stage *s = *state;
	wire_tls *server = server_tls(s, false);
	wire_tls *client = new_tls(&(struct wire_tls_options){.ca_file = s->ca});
	struct wire_listener_options options = {.url = "tls+tcp://127.0.0.1:0", .limits = end_limits, .tls = client};
	struct wire_listener_events none = {.accepted = accept_nobody};
	wire_listener *l = NULL;
	wire_link *link = NULL;

	assert_int_equal(wire_dial("tls+tcp://localhost:1", &end_limits, server, &end_events, s, &link), WIRE_TLS);
	assert_int_equal(wire_listener_open(&options, &none, NULL, &l), WIRE_TLS);
	wire_tls_release(&server);
	wire_tls_release(&client);
}

static void silent_connections_to_a_tls_listener_are_closed(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = caller_limits;
	struct desk *desk = calloc(1, sizeof(*desk));
	wire_tls *server = server_tls(s, false);
	int fds[3];

	limits.connect_timeout_ms = 200;
	desk->stays = true;
	desk_open(desk, "tls+tcp://127.0.0.1:0", &limits, server);
	wire_tls_release(&server);
	for (int i = 0; i < 3; i++)
		fds[i] = peer_connect(desk_url(desk));
	/* The beginning of a ClientHello, and something that is none. */
	peer_send(fds[1], "\x16\x03\x01\x02\x00\x01", 6);
	peer_send(fds[2], "GET / HTTP/1.1\r\n\r\n", 18);
	for (int i = 0; i < 3; i++) {
		assert_true(peer_is_closed(fds[i], BOUND_MS));
		peer_close(fds[i]);
	}
	assert_becomes(atomic_load(&desk->closed) == 3, BOUND_MS);
	desk_close(desk);
	free(desk);
}

static void a_silent_tls_peer_of_a_bare_link_is_idle_whatever_its_owner_says(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = end_limits;
	struct hall *hall = calloc(1, sizeof(*hall));
	wire_tls *server = server_tls(s, false);
	int fd;

	limits.idle_timeout_ms = 200;
	hall->stays = true;
	hall_open(hall, "tls+tcp://127.0.0.1:0", &limits, server);
	wire_tls_release(&server);
	fd = peer_connect(hall_url(hall));
	assert_true(peer_is_closed(fd, BOUND_MS));
	assert_becomes(atomic_load(&hall->ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(hall->ends[0].reason, WIRE_IDLE);
	peer_close(fd);
	hall_close(hall);
	free(hall);
}

static void a_handshake_that_hangs_is_given_up(void **state)
{
	struct stage *s = *state;
	struct wire_limits limits = end_limits;
	wire_tls *client = new_tls(&(struct wire_tls_options){.ca_file = s->ca, .server_name = "localhost"});
	char url[PEER_URL_BYTES];
	char tls_url[PEER_URL_BYTES + 4];
	int listener = peer_listen(1, url);
	struct end e;

	limits.connect_timeout_ms = 200;
	snprintf(tls_url, sizeof(tls_url), "tls+%s", url);
	end_init(&e);
	assert_int_equal(wire_dial(tls_url, &limits, client, &end_events, &e, &e.link), WIRE_OK);
	end_send(&e, "hello", 5);
	assert_becomes(atomic_load(&e.closed) == 1, BOUND_MS);
	assert_int_equal(e.reason, WIRE_TIMED_OUT);
	end_finish(&e);
	wire_tls_release(&client);
	peer_close(listener);
}

/* Bare links over TLS, the client's settings expecting localhost. */
struct links {
	struct hall hall;
	struct end end;
};

static void links_open(struct links *l, const struct stage *s, const struct wire_limits *limits, end_input *input)
{
	wire_tls *server = server_tls(s, false);
	wire_tls *client = new_tls(&(struct wire_tls_options){.ca_file = s->ca, .server_name = "localhost"});

	memset(l, 0, sizeof(*l));
	l->hall.input = input;
	hall_open(&l->hall, "tls+tcp://127.0.0.1:0", limits, server);
	end_init(&l->end);
	assert_int_equal(wire_dial(hall_url(&l->hall), limits, client, &end_events, &l->end, &l->end.link), WIRE_OK);
	wire_tls_release(&server);
	wire_tls_release(&client);
}

static void links_close(struct links *l)
{
	end_finish(&l->end);
	hall_close(&l->hall);
}

static void a_quiet_link_outlives_its_connect_time(void **state)
{
	struct wire_limits limits = end_limits;
	struct links *l = calloc(1, sizeof(*l));

	limits.connect_timeout_ms = 2000;
	links_open(l, *state, &limits, end_echo);
	assert_becomes(atomic_load(&l->end.opened) == 1, BOUND_MS);
	nap_ms(2600);
	assert_int_equal(l->end.closed, 0);
	end_send(&l->end, "still there", 11);
	assert_becomes(end_has(&l->end, "still there", 11), BOUND_MS);
	links_close(l);
	free(l);
}

#define MUCH (2U << 20)

static void a_flush_over_tls_arrives_whole(void **state)
{
	struct links *l = calloc(1, sizeof(*l));
	uint8_t *bytes = malloc(MUCH);

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	links_open(l, *state, &end_limits, NULL);
	assert_becomes(atomic_load(&l->end.opened) == 1, BOUND_MS);
	end_send(&l->end, bytes, MUCH);
	wire_link_close(l->end.link, WIRE_CLOSED, true);
	assert_becomes(atomic_load(&l->hall.count) == 1 && atomic_load(&l->hall.ends[0].closed) == 1, BOUND_MS);
	assert_true(end_has(&l->hall.ends[0], bytes, MUCH));
	links_close(l);
	free(bytes);
	free(l);
}

static ssize_t dawdle(struct end *e, wire_link *link, const uint8_t *data, size_t len)
{
	(void)link;
	(void)data;
	/* The far end closes meanwhile. */
	if (atomic_load(&e->inputs) == 1)
		nap_ms(300);
	return (ssize_t)len;
}

static void a_peer_that_leaves_during_an_event_is_noticed(void **state)
{
	struct links *l = calloc(1, sizeof(*l));

	links_open(l, *state, &end_limits, dawdle);
	assert_becomes(atomic_load(&l->end.opened) == 1, BOUND_MS);
	end_send(&l->end, "bye", 3);
	assert_becomes(atomic_load(&l->hall.count) == 1 && atomic_load(&l->hall.ends[0].inputs) == 1, BOUND_MS);
	wire_link_close(l->end.link, WIRE_CLOSED, false);
	assert_becomes(atomic_load(&l->hall.ends[0].closed) == 1, BOUND_MS);
	assert_int_equal(l->hall.ends[0].reason, WIRE_PEER_CLOSED);
	links_close(l);
	free(l);
}

static void copy_file(const char *from, const char *to)
{
	char *text = file_read(from, NULL);

	file_write(to, text);
	free(text);
}

/* A server whose files are replaced while it runs. */
struct renewal {
	char cert[TMPDIR_FILE_BYTES];
	char key[TMPDIR_FILE_BYTES];
	wire_tls *server;
	wire_tls *trusts[2]; /* the first certificate, or the second */
	struct desk desk;
};

static void use_files(const struct renewal *r, const struct stage *s, bool second)
{
	copy_file(second ? s->other_cert : s->cert, r->cert);
	copy_file(second ? s->other_key : s->key, r->key);
}

static void renewal_open(struct renewal *r, const struct stage *s)
{
	memset(r, 0, sizeof(*r));
	tmpdir_file(&s->dir, "live-cert", r->cert);
	tmpdir_file(&s->dir, "live-key", r->key);
	use_files(r, s, false);
	r->server = new_tls(&(struct wire_tls_options){.is_server = true, .cert_file = r->cert, .key_file = r->key});
	r->trusts[0] = new_tls(&(struct wire_tls_options){.ca_file = s->ca, .server_name = "localhost"});
	r->trusts[1] = new_tls(&(struct wire_tls_options){.ca_file = s->other_ca, .server_name = "localhost"});
	desk_open(&r->desk, "tls+tcp://127.0.0.1:0", &caller_limits, r->server);
}

static void renewal_close(struct renewal *r)
{
	wire_tls_release(&r->server);
	wire_tls_release(&r->trusts[0]);
	wire_tls_release(&r->trusts[1]);
	desk_close(&r->desk);
}

static void expect_certificate(struct renewal *r, bool second)
{
	for (int i = 0; i < 2; i++) {
		struct caller c;

		caller_init(&c);
		caller_dial(&c, desk_url(&r->desk), &caller_limits, r->trusts[i]);
		assert_becomes(atomic_load(i == second ? &c.ready : &c.closed) == 1, BOUND_MS);
		caller_finish(&c);
	}
}

static void whoever_connects_after_a_renewal_meets_the_new_certificate(void **state)
{
	struct renewal *r = calloc(1, sizeof(*r));
	struct caller first;
	bool is_new;

	renewal_open(r, *state);
	caller_init(&first);
	caller_dial(&first, desk_url(&r->desk), &caller_limits, r->trusts[0]);
	assert_becomes(atomic_load(&first.ready) == 1, BOUND_MS);
	assert_int_equal(wire_tls_reload(r->server, &is_new), WIRE_OK);
	assert_false(is_new);
	for (int i = 1; i <= 10; i++) {
		use_files(r, *state, i % 2 == 1);
		assert_int_equal(wire_tls_reload(r->server, &is_new), WIRE_OK);
		assert_true(is_new);
		assert_int_equal(wire_channel_listener_renew(r->desk.listener, r->server), WIRE_OK);
		expect_certificate(r, i % 2 == 1);
	}
	/* The calls that only use up a waiting accept are no callers. */
	assert_int_equal(atomic_load(&r->desk.accepted), 21);
	caller_ask(&first, 1, 100);
	assert_becomes(atomic_load(&first.replies) == 1, BOUND_MS);
	caller_finish(&first);
	renewal_close(r);
	free(r);
}

static void bad_files_renew_nothing(void **state)
{
	const struct stage *s = *state;
	struct renewal *r = calloc(1, sizeof(*r));
	bool is_new;

	renewal_open(r, s);
	file_write(r->cert, "no certificate\n");
	assert_int_equal(wire_tls_reload(r->server, &is_new), WIRE_TLS);
	assert_int_equal(unlink(r->cert), 0);
	assert_int_equal(wire_tls_reload(r->server, &is_new), WIRE_TLS);
	copy_file(s->other_cert, r->cert);
	assert_int_equal(wire_tls_reload(r->server, &is_new), WIRE_TLS);
	assert_int_equal(wire_channel_listener_renew(r->desk.listener, r->server), WIRE_OK);
	expect_certificate(r, false);
	renewal_close(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_verified_server_serves),
	    cmocka_unit_test(the_expected_name_can_differ_from_the_host),
	    cmocka_unit_test(another_name_is_refused),
	    cmocka_unit_test(an_unknown_authority_is_refused),
	    cmocka_unit_test(mutual_tls_serves_who_has_a_certificate),
	    cmocka_unit_test(mutual_tls_refuses_who_has_none),
	    cmocka_unit_test(mutual_tls_refuses_who_has_anothers),
	    cmocka_unit_test(one_client_dials_hosts_by_their_names),
	    cmocka_unit_test(bad_files_are_an_error_at_once),
	    cmocka_unit_test(a_servers_settings_do_not_serve_a_client),
	    cmocka_unit_test(silent_connections_to_a_tls_listener_are_closed),
	    cmocka_unit_test(a_silent_tls_peer_of_a_bare_link_is_idle_whatever_its_owner_says),
	    cmocka_unit_test(a_handshake_that_hangs_is_given_up),
	    cmocka_unit_test(a_quiet_link_outlives_its_connect_time),
	    cmocka_unit_test(a_flush_over_tls_arrives_whole),
	    cmocka_unit_test(a_peer_that_leaves_during_an_event_is_noticed),
	    cmocka_unit_test(whoever_connects_after_a_renewal_meets_the_new_certificate),
	    cmocka_unit_test(bad_files_renew_nothing),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
