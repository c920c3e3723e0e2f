#ifndef LK_BENCH_PEERS_GRPC_JOB_H
#define LK_BENCH_PEERS_GRPC_JOB_H

// The work of a Get that is not transport, the same as the service does: check the token's tag, derive the key's name,
// open two sealed parts. By libsodium, with the same primitives and about the same lengths.

#include <cstdint>
#include <string>

#include "session.pb.h"

namespace peer
{

// What a token says, once its tag has verified.
struct Token {
	std::string id;	 // 32 bytes
	std::string key; // of Redis
};

class Job
{
      public:
	Job();

	// A new session: its token and its record, sealed for its key.
	std::string create(const std::string &user, const std::string &profile, Token &ret_token,
			   std::string &ret_record) const;

	// False: forged or malformed.
	bool check(const std::string &token, Token &ret) const;

	// False: the record does not open.
	bool open(const Token &token, const std::string &record, latchkey::peer::GetResponse &ret) const;

      private:
	std::string name_of(const std::string &user_tag, const std::string &id) const;
	std::string data_key(const std::string &id) const;

	// One for each purpose, as the service's keyring has them.
	std::string tag_key, name_key, metadata_key, data_secret;
};

constexpr unsigned idle_timeout_ms = 1800000;

} // namespace peer

#endif
