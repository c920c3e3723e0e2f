#include "interop/tls.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdlib.h>

#include "support/file.h"
#include "support/wait.h"

wire_tls *certificates_for_wire(const struct certificates *c, bool is_server, bool is_mutual)
{
	struct wire_tls_options options = {.is_server = is_server};
	wire_tls *tls = NULL;
	enum wire_error err;

	if (!is_server || is_mutual)
		options.ca_file = c->ca;
	if (is_server || is_mutual) {
		options.cert_file = is_server ? c->server : c->client;
		options.key_file = is_server ? c->server_key : c->client_key;
	}
	if (!is_server)
		options.server_name = CERTIFICATE_NAME;
	err = wire_tls_new(&options, &tls);
	if (err != WIRE_OK)
		fail_msg("wire_tls_new: %s", wire_error_name(err));
	return tls;
}

static void set_own(nng_tls_config *config, const char *cert_file, const char *key_file)
{
	char *cert = file_read(cert_file, NULL);
	char *key = file_read(key_file, NULL);

	assert_int_equal(nng_tls_config_own_cert(config, cert, key, NULL), 0);
	free(cert);
	free(key);
}

struct nng_tls_config *certificates_for_nng(const struct certificates *c, bool is_server, bool is_mutual)
{
	nng_tls_config *config = NULL;

	assert_int_equal(nng_tls_config_alloc(&config, is_server ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT), 0);
	if (!is_server || is_mutual) {
		assert_int_equal(nng_tls_config_ca_file(config, c->ca), 0);
		assert_int_equal(nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED), 0);
	}
	if (is_server)
		set_own(config, c->server, c->server_key);
	else if (is_mutual)
		set_own(config, c->client, c->client_key);
	if (!is_server)
		assert_int_equal(nng_tls_config_server_name(config, CERTIFICATE_NAME), 0);
	return config;
}
