#include "bench/stage.h"

#include <stdlib.h>
#include <time.h>

#include "support/wait.h"

#define CONFIG_BYTES 4096
#define URL_BYTES    64

static const char realms[] = "realms:\n"
			     "  - name: default\n"
			     "    classes:\n"
			     "      - { name: default }\n"
			     "      - { name: " CLASS_MANY ", sessions_max: 10000 }\n"
			     "  - name: " REALM_POLLED_5 "\n"
			     "    classes:\n"
			     "      - { name: default, touch_interval_s: 5 }\n"
			     "  - name: " REALM_POLLED_60 "\n"
			     "    classes:\n"
			     "      - { name: default, touch_interval_s: 60 }\n";

uint64_t bench_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

struct lk_attribute bench_attribute(void)
{
	static char value[ATTRIBUTE_BYTES];
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof(value); i++) {
		/* A linear congruential generator: its high bits have no pattern that zstd finds. */
		x = x * 1664525 + 1013904223;
		value[i] = (char)(x >> 24);
	}
	return (struct lk_attribute){lk_text("profile"), lk_bytes_of(value, sizeof(value))};
}

/* Everything of TLS; the rest of the configuration is the same. */
static void write_config(const struct stage *s, char out[static CONFIG_BYTES])
{
	const struct certificates *c = &s->certificates;
	int len = snprintf(out, CONFIG_BYTES, "log_level: info\n%s", realms);

	if (!s->has_tls)
		return;
	(void)snprintf(out + len, CONFIG_BYTES - (size_t)len,
		       "redis: { tls_ca: %s, tls_server_name: " CERTIFICATE_NAME " }\n"
		       "listen:\n"
		       "  - { url: \"tls+tcp://127.0.0.1:0\", tls: { cert: %s, key: %s, client_ca: %s } }\n",
		       c->ca, c->server, c->server_key, c->ca);
}

lk_client *stage_client(const struct stage *s)
{
	const char *endpoints[] = {s->service.url};
	struct lk_options options = LK_OPTIONS_INIT;
	struct lk_error error = LK_ERROR_INIT;
	lk_client *client;

	options.endpoints = endpoints;
	options.endpoint_count = 1;
	options.call_timeout_ms = 10000;
	if (s->has_tls) {
		options.tls_ca_file = s->certificates.ca;
		options.tls_cert_file = s->certificates.client;
		options.tls_key_file = s->certificates.client_key;
		options.tls_server_name = CERTIFICATE_NAME;
	}
	if (lk_client_open(&options, &client, &error) != LK_OK)
		bench_die("client", &error);
	return client;
}

static bool is_serving(const struct stage *s)
{
	enum lk_serving serving;

	return lk_health(s->client, NULL, &serving, NULL) == LK_OK && serving == LK_SERVING;
}

void stage_open(struct stage *s, bool has_tls)
{
	struct redis_server_options redis = {.tls = has_tls ? &s->certificates : NULL};
	struct latchkeyd_options service = {0};
	char config[CONFIG_BYTES];
	char url[URL_BYTES];

	*s = (struct stage){.has_tls = has_tls};
	tmpdir_make(&s->dir);
	if (has_tls)
		certificates_make(&s->certificates, &s->dir);
	redis_server_init(&s->redis, &redis);
	redis_server_start(&s->redis);
	(void)snprintf(url, sizeof(url), "%s://127.0.0.1:%u", has_tls ? "rediss" : "redis",
		       redis_server_service_port(&s->redis));
	service.listen_url = has_tls ? "" : NULL;
	write_config(s, config);
	service.redis_url = url;
	service.config = config;
	latchkeyd_init(&s->service, &service);
	latchkeyd_start(&s->service);
	s->client = stage_client(s);
	if (!WAIT_FOR(is_serving(s), BOUND_MS))
		bench_die("the service does not reach its Redis", NULL);
}

void stage_close(struct stage *s)
{
	lk_client_close(&s->client);
	latchkeyd_end(&s->service);
	redis_server_remove(&s->redis);
	tmpdir_remove(&s->dir);
}
