#include "option.h"

#include <assert.h>
#include <string.h>

const struct option_row options[] = {
    {"server",
     OPT_SERVER,
     "URL[,URL]",
     "servers: tcp://host:port, tls+tcp://host:port or ipc:///path; "
     "default tcp://127.0.0.1:7373",
     "LATCHKEY_SERVER",
     {0}},
    {"realm", OPT_REALM, "REALM", "the realm; default: the server's, \"default\"", "LATCHKEY_REALM", {0}},
    {"credential-file", OPT_CREDENTIAL, "FILE", "file with the credential, id.secret", "LATCHKEY_CREDENTIAL_FILE", {0}},
    {"timeout", OPT_TIMEOUT, "S", "seconds to wait for an answer, such as 0.5; default 5", "LATCHKEY_TIMEOUT", {0}},
    {"json", OPT_JSON, NULL, "JSON instead of text for people", NULL, {0}},
    {"ca", OPT_CA, "FILE", "PEM file of the authority that signs servers, for tls+tcp", "LATCHKEY_CA", {0}},
    {"cert", OPT_CERT, "FILE", "PEM file of the client's certificate, for mutual TLS", "LATCHKEY_CERT", {0}},
    {"key", OPT_KEY, "FILE", "PEM file of its key", "LATCHKEY_KEY", {0}},
    {"server-name",
     OPT_SERVER_NAME,
     "NAME",
     "name expected in the server's certificate; default: the URL's host",
     "LATCHKEY_SERVER_NAME",
     {0}},
    {"help", OPT_HELP, NULL, "this text, or the verb's; also -h and -?", NULL, {0}},
    {"version", OPT_VERSION, NULL, "the version", NULL, {0}},
    {"class", OPT_CLASS, "CLASS", "class of sessions of the realm's policy", NULL, {"session create", REVOKE_USER}},
    {"attr", OPT_ATTR, "K=V", "an attribute; may be given up to 64 times", NULL, {"session create"}},
    {"idle", OPT_IDLE, "S", "idle timeout in seconds, at most the policy's", NULL, {"session create"}},
    {"max", OPT_MAX, "S", "absolute timeout in seconds, at most the policy's", NULL, {"session create"}},
    {"user-agent", OPT_USER_AGENT, "TEXT", "the device's user agent", NULL, {"session create"}},
    {"ip", OPT_IP, "ADDRESS", "the device's address", NULL, {"session create"}},
    {"label", OPT_LABEL, "TEXT", "the device's name, such as \"Ann's phone\"", NULL, {"session create"}},
    {"peek", OPT_PEEK, NULL, "do not count this as use: the idle timeout does not slide", NULL, {"session get"}},
    {"remove", OPT_REMOVE, "K", "an attribute to remove; may be given up to 64 times", NULL, {"session update"}},
    {"expect", OPT_EXPECT, "VERSION", "write only if the session has this version", NULL, {"session update"}},
    {"reason", OPT_REASON, "REASON", "logout (the default), admin or credential-change", NULL, {"session revoke"}},
    {"reason", OPT_REASON, "REASON", "admin or credential-change; default: logged out everywhere", NULL, {REVOKE_USER}},
    {"except",
     OPT_EXCEPT,
     "TOKEN",
     "a session of the user that stays alive; -: from the standard input",
     NULL,
     {REVOKE_USER}},
};

static_assert(sizeof(options) / sizeof(options[0]) == OPTION_COUNT, "a row more or less: change OPTION_COUNT");

bool option_goes_with(const struct option_row *row, const struct verb *verb)
{
	if (row->verbs[0] == NULL)
		return true;
	for (size_t i = 0; row->verbs[i] != NULL; i++)
		if (strcmp(row->verbs[i], verb->words) == 0)
			return true;
	return false;
}
