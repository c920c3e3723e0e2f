#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "latchkey/admin.h"
#include "latchkey/latchkey.h"
#include "latchkey/watch.h"
#include "src/codec.h"
#include "src/result.h"

static ProtobufCBinaryData bytes_of(const char *text)
{
	return binary_of(lk_text(text));
}

static void check_info(const lk_session *session)
{
	assert_string_equal(lk_session_token(session), "lks1_token");
	assert_string_equal(lk_session_handle(session), "handle-2");
	assert_string_equal(lk_session_user(session).data, "ann");
	assert_string_equal(lk_session_class(session).data, "default");
	assert_int_equal(lk_session_created_at_ms(session), 1);
	assert_int_equal(lk_session_last_seen_at_ms(session), 2);
	assert_int_equal(lk_session_idle_expires_at_ms(session), 3);
	assert_int_equal(lk_session_expires_at_ms(session), 4);
	assert_int_equal(lk_session_version(session), 6);
	assert_int_equal(lk_session_privileged_until_ms(session), 7);
	assert_string_equal(lk_session_successor(session), "lks1_next");
	assert_false(lk_session_is_anonymous(session));
	assert_string_equal(lk_session_label(session).data, "Ann's phone");
	assert_string_equal(lk_session_ip(session).data, "::1");
	assert_null(lk_session_user_agent(session).data);
	assert_int_equal(lk_session_authenticated_at_ms(session), 5);
	assert_int_equal(lk_session_aal(session), 2);
	assert_int_equal(lk_session_amr_count(session), 2);
	assert_string_equal(lk_session_amr(session, 1).data, "otp");
	assert_null(lk_session_amr(session, 2).data);
}

static void check_attributes(const lk_session *session)
{
	assert_int_equal(lk_session_attribute_count(session), 3);
	assert_string_equal(lk_session_attribute_at(session, 0).key.data, "alpha");
	assert_string_equal(lk_session_attribute_at(session, 2).key.data, "zeta");
	assert_null(lk_session_attribute_at(session, 3).key.data);
	assert_int_equal(lk_session_attribute(session, "alpha").len, 2);
	assert_memory_equal(lk_session_attribute(session, "alpha").data, "\0\xff", 2);
	assert_non_null(lk_session_attribute(session, "empty").data);
	assert_int_equal(lk_session_attribute(session, "empty").len, 0);
	assert_null(lk_session_attribute(session, "alph").data);
	assert_null(lk_session_attribute(session, "").data);
}

static void a_full_session_says_all_it_was_given(void **state)
{
	Latchkey__V1__Device device = LATCHKEY__V1__DEVICE__INIT;
	Latchkey__V1__Authentication authentication = LATCHKEY__V1__AUTHENTICATION__INIT;
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	Latchkey__V1__Attribute rows[3] = {LATCHKEY__V1__ATTRIBUTE__INIT, LATCHKEY__V1__ATTRIBUTE__INIT,
					   LATCHKEY__V1__ATTRIBUTE__INIT};
	Latchkey__V1__Attribute *attributes[] = {&rows[0], &rows[1], &rows[2]};
	ProtobufCBinaryData amr[] = {bytes_of("pwd"), bytes_of("otp")};
	ProtobufCBinaryData token = bytes_of("lks1_token");
	ProtobufCBinaryData successor = bytes_of("lks1_next");
	ProtobufCBinaryData evicted[] = {bytes_of("handle-1")};
	struct session_parts parts = {.verdict = LK_VALID,
				      .token = &token,
				      .successor = &successor,
				      .info = &info,
				      .attribute_count = 3,
				      .attributes = attributes,
				      .evicted_count = 1,
				      .evicted = evicted};
	lk_session *session;

	(void)state;
	rows[0].key = bytes_of("zeta");
	rows[0].value = bytes_of("last");
	rows[1].key = bytes_of("alpha");
	rows[1].value = binary_of(lk_bytes_of("\0\xff", 2));
	rows[2].key = bytes_of("empty");
	device.label = bytes_of("Ann's phone");
	device.ip = bytes_of("::1");
	authentication.at_ms = 5;
	authentication.aal = 2;
	authentication.n_amr = 2;
	authentication.amr = amr;
	info.handle = bytes_of("handle-2");
	info.user = bytes_of("ann");
	info.session_class = bytes_of("default");
	info.created_at_ms = 1;
	info.last_seen_at_ms = 2;
	info.idle_expires_at_ms = 3;
	info.expires_at_ms = 4;
	info.version = 6;
	info.privileged_until_ms = 7;
	info.device = &device;
	info.authentication = &authentication;

	session = session_new(&parts);
	assert_non_null(session);
	check_info(session);
	check_attributes(session);
	assert_int_equal(lk_session_evicted_count(session), 1);
	assert_string_equal(lk_session_evicted(session, 0), "handle-1");
	assert_null(lk_session_evicted(session, 1));
	lk_session_free(&session);
	assert_null(session);
	lk_session_free(&session);
}

static void an_empty_session_says_nothing(void **state)
{
	struct session_parts parts = {.verdict = LK_INVALID, .reason = LK_REASON_LOGOUT, .revoked_at_ms = 7};
	lk_session *session = session_new(&parts);

	(void)state;
	assert_int_equal(lk_session_verdict(session), LK_INVALID);
	assert_int_equal(lk_session_reason(session), LK_REASON_LOGOUT);
	assert_int_equal(lk_session_revoked_at_ms(session), 7);
	assert_null(lk_session_token(session));
	assert_null(lk_session_successor(session));
	assert_int_equal(lk_session_privileged_until_ms(session), 0);
	assert_null(lk_session_handle(session));
	assert_null(lk_session_user(session).data);
	assert_null(lk_session_attribute(session, "x").data);
	assert_int_equal(lk_session_attribute_count(session), 0);
	assert_int_equal(lk_session_verdict(NULL), LK_UNKNOWN);
	lk_session_free(&session);
}

static void lists_hold_their_sessions(void **state)
{
	ProtobufCBinaryData next = bytes_of("next");
	struct list_parts list = {0};
	Latchkey__V1__SessionInfo infos[500];
	Latchkey__V1__SessionInfo *pointers[500];
	char users[500][16];
	lk_sessions *sessions;

	(void)state;
	for (int i = 0; i < 500; i++) {
		latchkey__v1__session_info__init(&infos[i]);
		(void)snprintf(users[i], sizeof(users[i]), "u%d", i);
		infos[i].user = bytes_of(users[i]);
		pointers[i] = &infos[i];
	}
	list = (struct list_parts){.count = 500, .infos = pointers, .next_page = &next};
	sessions = sessions_new(&list);
	assert_int_equal(lk_sessions_count(sessions), 500);
	for (size_t i = 0; i < 500; i++)
		assert_string_equal(lk_session_user(lk_sessions_at(sessions, i)).data, users[i]);
	assert_null(lk_sessions_at(sessions, 500));
	assert_string_equal(lk_sessions_next_page(sessions).data, "next");
	lk_sessions_free(&sessions);

	list = (struct list_parts){0};
	sessions = sessions_new(&list);
	assert_int_equal(lk_sessions_count(sessions), 0);
	assert_int_equal(lk_sessions_next_page(sessions).len, 0);
	lk_sessions_free(&sessions);
}

/* The sessions of several tokens: each with a verdict, and what belongs to it. */
static void answers_keep_their_places(void **state)
{
	Latchkey__V1__GetSessionResponse rows[3] = {LATCHKEY__V1__GET_SESSION_RESPONSE__INIT,
						    LATCHKEY__V1__GET_SESSION_RESPONSE__INIT,
						    LATCHKEY__V1__GET_SESSION_RESPONSE__INIT};
	Latchkey__V1__GetSessionResponse *answers[] = {&rows[0], &rows[1], &rows[2]};
	Latchkey__V1__SessionInfo info = LATCHKEY__V1__SESSION_INFO__INIT;
	Latchkey__V1__Attribute attribute = LATCHKEY__V1__ATTRIBUTE__INIT;
	Latchkey__V1__Attribute *attributes[] = {&attribute};
	const struct list_parts list = {.count = 3, .answers = answers};
	lk_sessions *sessions;

	(void)state;
	rows[0].verdict = LATCHKEY__V1__VERDICT__INVALID;
	rows[0].reason = LATCHKEY__V1__REASON__ROTATED;
	rows[1].verdict = LATCHKEY__V1__VERDICT__VALID;
	rows[1].info = &info;
	rows[1].n_attributes = 1;
	rows[1].attributes = attributes;
	rows[1].successor = bytes_of("lks1_next");
	info.anonymous = true;
	attribute.key = bytes_of("cart");
	attribute.value = bytes_of("3");
	rows[2].verdict = LATCHKEY__V1__VERDICT__UNKNOWN;
	rows[2].reason = LATCHKEY__V1__REASON__UNREADABLE;
	sessions = sessions_new(&list);
	assert_int_equal(lk_session_verdict(lk_sessions_at(sessions, 0)), LK_INVALID);
	assert_int_equal(lk_session_reason(lk_sessions_at(sessions, 0)), LK_REASON_ROTATED);
	assert_int_equal(lk_session_verdict(lk_sessions_at(sessions, 1)), LK_VALID);
	assert_true(lk_session_is_anonymous(lk_sessions_at(sessions, 1)));
	assert_string_equal(lk_session_attribute(lk_sessions_at(sessions, 1), "cart").data, "3");
	assert_string_equal(lk_session_successor(lk_sessions_at(sessions, 1)), "lks1_next");
	assert_int_equal(lk_session_verdict(lk_sessions_at(sessions, 2)), LK_UNKNOWN);
	assert_int_equal(lk_session_reason(lk_sessions_at(sessions, 2)), LK_REASON_UNREADABLE);
	assert_int_equal(lk_sessions_next_page(sessions).len, 0);
	lk_sessions_free(&sessions);
}

static void events_say_all_they_were_given(void **state)
{
	Latchkey__V1__WatchSessionsResponse response = LATCHKEY__V1__WATCH_SESSIONS_RESPONSE__INIT;
	Latchkey__V1__SessionEvent rows[2] = {LATCHKEY__V1__SESSION_EVENT__INIT, LATCHKEY__V1__SESSION_EVENT__INIT};
	Latchkey__V1__SessionEvent *all[] = {&rows[0], &rows[1]};
	const lk_event *event;
	lk_events *events;

	(void)state;
	rows[0].kind = LATCHKEY__V1__EVENT_KIND__EVENT_ROTATED;
	rows[0].handle = bytes_of("handle-1");
	rows[0].successor = bytes_of("handle-2");
	rows[0].user_tag = bytes_of("03e3db48ba089463");
	rows[0].reason = LATCHKEY__V1__REASON__ROTATED;
	rows[0].at_ms = 9;
	rows[1].kind = (Latchkey__V1__EventKind)77;
	response.n_events = 2;
	response.events = all;
	response.cursor = binary_of(lk_bytes_of("a\0b", 3));
	response.gap = true;
	events = events_new(&response);
	assert_int_equal(lk_events_count(events), 2);
	assert_int_equal(lk_events_cursor(events).len, 3);
	assert_memory_equal(lk_events_cursor(events).data, "a\0b", 3);
	assert_true(lk_events_gap(events));
	event = lk_events_at(events, 0);
	assert_int_equal(lk_event_kind_of(event), LK_EVENT_ROTATED);
	assert_string_equal(lk_event_handle(event), "handle-1");
	assert_string_equal(lk_event_successor(event), "handle-2");
	assert_string_equal(lk_event_user_tag(event), "03e3db48ba089463");
	assert_int_equal(lk_event_reason(event), LK_REASON_ROTATED);
	assert_int_equal(lk_event_at_ms(event), 9);
	event = lk_events_at(events, 1);
	assert_int_equal(lk_event_kind_of(event), LK_EVENT_UNKNOWN);
	assert_string_equal(lk_event_handle(event), "");
	assert_null(lk_events_at(events, 2));
	lk_events_free(&events);
	assert_null(events);
	lk_events_free(&events);
}

/* Each number another: none is told in the place of another. */
static void a_policy_says_what_its_realm_has(void **state)
{
	Latchkey__V1__ServerPolicyResponse response = LATCHKEY__V1__SERVER_POLICY_RESPONSE__INIT;
	Latchkey__V1__ProfileTier tiers[2] = {LATCHKEY__V1__PROFILE_TIER__INIT, LATCHKEY__V1__PROFILE_TIER__INIT};
	Latchkey__V1__ProfileTier *all[] = {&tiers[0], &tiers[1]};
	struct lk_realm_policy r = LK_REALM_POLICY_INIT;
	lk_policy *policy;

	(void)state;
	tiers[0].name = bytes_of("user");
	tiers[0].ttl_s = 101;
	tiers[1].name = bytes_of("guest");
	tiers[1].ttl_s = 102;
	response.n_profile_tiers = 2;
	response.profile_tiers = all;
	response.wait_replicas = 1;
	response.wait_ms = 2;
	response.profile_jitter_percent = 3;
	response.profile_changes = true;
	response.profile_changes_max = 4;
	response.visitors_hour_retention_h = 5;
	response.visitors_day_retention_d = 6;
	response.auth_ttl_s = 7;
	response.auth_negative_ttl_s = 8;
	response.auth_stale_s = 9;
	response.auth_jitter_percent = 10;
	response.auth_lease_ms = 11;
	response.auth_early_percent = 12;
	policy = policy_new(&response);
	lk_policy_of_realm(policy, &r);
	assert_int_equal(r.struct_size, sizeof(r));
	assert_int_equal(r.wait_replicas, 1);
	assert_int_equal(r.wait_ms, 2);
	assert_int_equal(r.profile_jitter_percent, 3);
	assert_true(r.profile_changes);
	assert_int_equal(r.profile_changes_max, 4);
	assert_int_equal(r.visitors_hour_retention_h, 5);
	assert_int_equal(r.visitors_day_retention_d, 6);
	assert_int_equal(r.auth_ttl_s, 7);
	assert_int_equal(r.auth_negative_ttl_s, 8);
	assert_int_equal(r.auth_stale_s, 9);
	assert_int_equal(r.auth_jitter_percent, 10);
	assert_int_equal(r.auth_lease_ms, 11);
	assert_int_equal(r.auth_early_percent, 12);
	assert_int_equal(lk_policy_tier_count(policy), 2);
	assert_string_equal(lk_policy_tier_name(policy, 0), "user");
	assert_int_equal(lk_policy_tier_ttl_s(policy, 1), 102);
	assert_string_equal(lk_policy_tier_name(policy, 1), "guest");
	assert_string_equal(lk_policy_tier_name(policy, 2), "");
	assert_int_equal(lk_policy_tier_ttl_s(policy, 2), 0);
	lk_policy_free(&policy);
}

static void a_policy_and_keys_say_all_they_were_given(void **state)
{
	Latchkey__V1__ServerPolicyResponse response = LATCHKEY__V1__SERVER_POLICY_RESPONSE__INIT;
	Latchkey__V1__ServerKeysResponse keys_response = LATCHKEY__V1__SERVER_KEYS_RESPONSE__INIT;
	Latchkey__V1__KeyInfo row = LATCHKEY__V1__KEY_INFO__INIT;
	Latchkey__V1__KeyInfo *rows[] = {&row};
	lk_policy *policy = policy_new(&response);
	lk_keys *keys;

	(void)state;
	assert_string_equal(lk_policy_realm(policy), "");
	lk_policy_free(&policy);
	response.session_class = bytes_of("sudo");
	response.at_cap = LATCHKEY__V1__AT_CAP__EVICT_LEAST_RECENTLY_USED;
	response.idle_timeout_s = 1;
	response.absolute_timeout_s = 2;
	response.sessions_max = 3;
	response.tombstone_s = 4;
	response.touch_interval_s = 5;
	response.grace_s = 6;
	response.privileged_s = 7;
	response.events = true;
	policy = policy_new(&response);
	assert_string_equal(lk_policy_class(policy), "sudo");
	assert_string_equal(lk_at_cap_name(lk_policy_at_cap(policy)), "EVICT_LEAST_RECENTLY_USED");
	assert_int_equal(lk_policy_idle_timeout_s(policy), 1);
	assert_int_equal(lk_policy_absolute_timeout_s(policy), 2);
	assert_int_equal(lk_policy_sessions_max(policy), 3);
	assert_int_equal(lk_policy_tombstone_s(policy), 4);
	assert_int_equal(lk_policy_touch_interval_s(policy), 5);
	assert_int_equal(lk_policy_grace_s(policy), 6);
	assert_int_equal(lk_policy_privileged_s(policy), 7);
	assert_true(lk_policy_events(policy));
	lk_policy_free(&policy);
	assert_null(policy);

	row.id = 4;
	row.first = true;
	row.retired = true;
	row.tokens = 5;
	row.records = 6;
	row.last_used_at_ms = 7;
	row.first_until_ms = 8;
	keys_response.n_keys = 1;
	keys_response.keys = rows;
	keys_response.loaded_at_ms = 9;
	keys = keys_new(&keys_response);
	assert_int_equal(lk_keys_loaded_at_ms(keys), 9);
	assert_int_equal(lk_keys_count(keys), 1);
	assert_int_equal(lk_key_id(lk_keys_at(keys, 0)), 4);
	assert_true(lk_key_is_first(lk_keys_at(keys, 0)));
	assert_true(lk_key_is_retired(lk_keys_at(keys, 0)));
	assert_int_equal(lk_key_tokens(lk_keys_at(keys, 0)), 5);
	assert_int_equal(lk_key_records(lk_keys_at(keys, 0)), 6);
	assert_int_equal(lk_key_last_used_at_ms(lk_keys_at(keys, 0)), 7);
	assert_int_equal(lk_key_first_until_ms(lk_keys_at(keys, 0)), 8);
	assert_null(lk_keys_at(keys, 1));
	lk_keys_free(&keys);
	assert_null(keys);
}

static void reports_are_never_null(void **state)
{
	Latchkey__V1__ServerInfoResponse response = LATCHKEY__V1__SERVER_INFO_RESPONSE__INIT;
	Latchkey__V1__ServerStatsResponse stats_response = LATCHKEY__V1__SERVER_STATS_RESPONSE__INIT;
	Latchkey__V1__Counter counter = LATCHKEY__V1__COUNTER__INIT;
	Latchkey__V1__Counter *counters[] = {&counter};
	ProtobufCBinaryData realms[] = {bytes_of("default"), bytes_of("shop")};
	lk_info *info = info_new(&response);
	lk_stats *stats;

	(void)state;
	assert_string_equal(lk_info_version(info), "");
	assert_string_equal(lk_info_store_mode(info), "");
	assert_null(lk_info_realm(info, 0));
	lk_info_free(&info);
	response.n_realms = 2;
	response.realms = realms;
	response.version = bytes_of("0.1.0");
	info = info_new(&response);
	assert_string_equal(lk_info_version(info), "0.1.0");
	assert_int_equal(lk_info_realm_count(info), 2);
	assert_string_equal(lk_info_realm(info, 1), "shop");
	lk_info_free(&info);

	counter.name = bytes_of("calls");
	counter.value = 3;
	stats_response.n_counters = 1;
	stats_response.counters = counters;
	stats = stats_new(&stats_response);
	assert_string_equal(lk_stats_name(stats, 0), "calls");
	assert_int_equal(lk_stats_value(stats, 0), 3);
	assert_string_equal(lk_stats_help(stats, 0), "");
	assert_null(lk_stats_name(stats, 1));
	lk_stats_free(&stats);
	assert_null(stats);
}

static void check_node(const lk_redis_node *node)
{
	uint64_t lag_ms = 77;

	assert_string_equal(lk_redis_node_address(node), "10.0.0.1:6379");
	assert_string_equal(lk_redis_node_role(node), "primary");
	assert_string_equal(lk_redis_node_state(node), "serving");
	assert_string_equal(lk_redis_node_version(node), "7.0.15");
	assert_string_equal(lk_redis_node_breaker(node), "closed");
	assert_int_equal(lk_redis_node_slots(node), 1);
	assert_int_equal(lk_redis_node_connections(node), 2);
	assert_int_equal(lk_redis_node_connections_ready(node), 3);
	assert_int_equal(lk_redis_node_in_flight(node), 4);
	assert_int_equal(lk_redis_node_breaker_opened(node), 5);
	assert_int_equal(lk_redis_node_commands(node), 6);
	assert_int_equal(lk_redis_node_errors(node), 7);
	assert_int_equal(lk_redis_node_timeouts(node), 8);
	assert_int_equal(lk_redis_node_reconnects(node), UINT64_MAX);
	assert_string_equal(lk_redis_node_error(node), "connection refused");
	assert_false(lk_redis_node_lag_ms(node, &lag_ms));
	assert_int_equal(lag_ms, 77);
}

static void fill_node(Latchkey__V1__RedisNode *node)
{
	node->address = bytes_of("10.0.0.1:6379");
	node->role = bytes_of("primary");
	node->state = bytes_of("serving");
	node->version = bytes_of("7.0.15");
	node->breaker = bytes_of("closed");
	node->slots = 1;
	node->connections = 2;
	node->connections_ready = 3;
	node->in_flight = 4;
	node->breaker_opened = 5;
	node->commands = 6;
	node->errors = 7;
	node->timeouts = 8;
	node->reconnects = UINT64_MAX;
	node->error = bytes_of("connection refused");
}

static void a_redis_status_says_all_it_was_given(void **state)
{
	Latchkey__V1__ServerRedisResponse response = LATCHKEY__V1__SERVER_REDIS_RESPONSE__INIT;
	Latchkey__V1__RedisNode rows[2] = {LATCHKEY__V1__REDIS_NODE__INIT, LATCHKEY__V1__REDIS_NODE__INIT};
	Latchkey__V1__RedisNode *nodes[] = {&rows[0], &rows[1]};
	lk_redis_status *status;
	uint64_t lag_ms = 77;

	(void)state;
	fill_node(&rows[0]);
	rows[1].has_lag_ms = true;
	response.mode = bytes_of("cluster");
	response.ready = true;
	response.primaries = 3;
	response.primaries_serving = 2;
	response.slots = 16384;
	response.slots_served = 10923;
	response.nodes_known = 301;
	response.pending = 302;
	response.n_nodes = 2;
	response.nodes = nodes;
	status = redis_status_new(&response);
	assert_string_equal(lk_redis_status_mode(status), "cluster");
	assert_true(lk_redis_status_ready(status));
	assert_int_equal(lk_redis_status_primaries(status), 3);
	assert_int_equal(lk_redis_status_primaries_serving(status), 2);
	assert_int_equal(lk_redis_status_slots(status), 16384);
	assert_int_equal(lk_redis_status_slots_served(status), 10923);
	assert_int_equal(lk_redis_status_nodes_known(status), 301);
	assert_int_equal(lk_redis_status_pending(status), 302);
	assert_int_equal(lk_redis_status_node_count(status), 2);
	check_node(lk_redis_status_node(status, 0));
	assert_string_equal(lk_redis_node_address(lk_redis_status_node(status, 1)), "");
	assert_string_equal(lk_redis_node_breaker(lk_redis_status_node(status, 1)), "");
	assert_string_equal(lk_redis_node_error(lk_redis_status_node(status, 1)), "");
	assert_true(lk_redis_node_lag_ms(lk_redis_status_node(status, 1), &lag_ms));
	assert_int_equal(lag_ms, 0);
	assert_null(lk_redis_status_node(status, 2));
	lk_redis_status_free(&status);
	assert_null(status);
	lk_redis_status_free(&status);
}

static void an_empty_redis_status_says_nothing(void **state)
{
	Latchkey__V1__ServerRedisResponse response = LATCHKEY__V1__SERVER_REDIS_RESPONSE__INIT;
	lk_redis_status *status = redis_status_new(&response);

	(void)state;
	assert_string_equal(lk_redis_status_mode(status), "");
	assert_false(lk_redis_status_ready(status));
	assert_int_equal(lk_redis_status_slots(status), 0);
	assert_int_equal(lk_redis_status_node_count(status), 0);
	assert_null(lk_redis_status_node(status, 0));
	lk_redis_status_free(&status);
}

static void names_are_for_any_number(void **state)
{
	(void)state;
	assert_string_equal(lk_err_name(LK_E_UNAVAILABLE), "LK_E_UNAVAILABLE");
	assert_true(lk_err_is_retryable(LK_E_UNAVAILABLE));
	assert_false(lk_err_is_retryable(LK_E_CONFLICT));
	assert_string_equal(lk_reason_name(LK_REASON_IDLE_TIMEOUT), "IDLE_TIMEOUT");
	assert_string_equal(lk_reason_name((enum lk_reason)999), "UNRECOGNIZED");
	assert_string_equal(lk_verdict_name(LK_INVALID), "INVALID");
	for (int i = -5; i < 100; i++) {
		assert_non_null(lk_err_name((enum lk_err)i));
		assert_non_null(lk_err_message((enum lk_err)i));
		assert_non_null(lk_reason_message((enum lk_reason)i));
		assert_non_null(lk_verdict_name((enum lk_verdict)i));
		assert_non_null(lk_serving_name((enum lk_serving)i));
		assert_non_null(lk_event_kind_name((enum lk_event_kind)i));
		assert_non_null(lk_at_cap_name((enum lk_at_cap)i));
		assert_false(lk_err_is_retryable((enum lk_err)i) && i > LK_E_TLS);
	}
}

static void check_reason(enum lk_reason reason, int number)
{
	const ProtobufCEnumValue *value =
	    protobuf_c_enum_descriptor_get_value(&latchkey__v1__reason__descriptor, number);

	assert_non_null(value);
	assert_int_equal(reason, number);
	assert_string_equal(number == 0 ? "NONE" : value->name, lk_reason_name(reason));
}

static void check_event(enum lk_event_kind kind, int number)
{
	const ProtobufCEnumValue *value =
	    protobuf_c_enum_descriptor_get_value(&latchkey__v1__event_kind__descriptor, number);

	assert_non_null(value);
	assert_int_equal(kind, number);
	if (number > 0)
		assert_string_equal(strchr(value->name, '_') + 1, lk_event_kind_name(kind));
}

/* The header states the numbers again, so that users need no protobuf: they must be the wire's. */
static void numbers_are_those_of_the_wire(void **state)
{
	(void)state;
#define X(reason, number, text) check_reason(reason, number);
	LK_REASON_MAP(X)
#undef X
#define X(kind, number) check_event(kind, number);
	LK_EVENT_MAP(X)
#undef X
	assert_null(
	    protobuf_c_enum_descriptor_get_value(&latchkey__v1__event_kind__descriptor, LK_EVENT_REALM_REVOKED + 1));
	for (int i = LK_AT_CAP_EVICT_OLDEST; i <= LK_AT_CAP_EVICT_LEAST_RECENTLY_USED; i++)
		assert_string_equal(protobuf_c_enum_descriptor_get_value(&latchkey__v1__at_cap__descriptor, i)->name,
				    lk_at_cap_name((enum lk_at_cap)i));
	assert_null(
	    protobuf_c_enum_descriptor_get_value(&latchkey__v1__reason__descriptor, LK_REASON_ASSURANCE_TOO_LOW + 1));
}

static void the_header_has_the_projects_version(void **state)
{
	char version[32];

	(void)state;
	(void)snprintf(version, sizeof(version), "%d.%d.%d", LK_VERSION_MAJOR, LK_VERSION_MINOR, LK_VERSION_PATCH);
	assert_string_equal(version, lk_version());
	assert_string_equal(version, LK_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_full_session_says_all_it_was_given),
	    cmocka_unit_test(an_empty_session_says_nothing),
	    cmocka_unit_test(lists_hold_their_sessions),
	    cmocka_unit_test(answers_keep_their_places),
	    cmocka_unit_test(events_say_all_they_were_given),
	    cmocka_unit_test(a_policy_and_keys_say_all_they_were_given),
	    cmocka_unit_test(a_policy_says_what_its_realm_has),
	    cmocka_unit_test(reports_are_never_null),
	    cmocka_unit_test(a_redis_status_says_all_it_was_given),
	    cmocka_unit_test(an_empty_redis_status_says_nothing),
	    cmocka_unit_test(names_are_for_any_number),
	    cmocka_unit_test(numbers_are_those_of_the_wire),
	    cmocka_unit_test(the_header_has_the_projects_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
