#include "job.h"

#include <chrono>
#include <cstring>
#include <sodium.h>
#include <stdexcept>

namespace peer
{

namespace
{

constexpr size_t id_bytes = 32;
constexpr size_t user_tag_bytes = 8;
constexpr size_t head_bytes = 19; // version, key's number and times
constexpr size_t tag_bytes = 16;
constexpr size_t name_bytes = 16;
constexpr size_t token_bytes = head_bytes + user_tag_bytes + id_bytes + tag_bytes;
constexpr size_t key_bytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t mac_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr char prefix[] = "lks1_";
constexpr size_t prefix_bytes = sizeof(prefix) - 1;
constexpr size_t length_bytes = 2; // of the sealed metadata, in front of it

const unsigned char *bytes(const std::string &s)
{
	return reinterpret_cast<const unsigned char *>(s.data());
}

unsigned char *bytes(std::string &s)
{
	return reinterpret_cast<unsigned char *>(s.data());
}

std::string hash(const std::string &key, const std::string &text, size_t length)
{
	std::string out(length, '\0');

	crypto_generichash(bytes(out), length, bytes(text), text.size(), bytes(key), key.size());
	return out;
}

std::string random(size_t length)
{
	std::string out(length, '\0');

	randombytes_buf(out.data(), length);
	return out;
}

std::string base64(const std::string &raw)
{
	std::string out(sodium_base64_ENCODED_LEN(raw.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');

	sodium_bin2base64(out.data(), out.size(), bytes(raw), raw.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	out.pop_back();
	return out;
}

std::string hex(const std::string &raw)
{
	std::string out(raw.size() * 2 + 1, '\0');

	sodium_bin2hex(out.data(), out.size(), bytes(raw), raw.size());
	out.pop_back();
	return out;
}

std::string seal(const std::string &key, const std::string &bound, const std::string &text)
{
	std::string out = random(nonce_bytes);

	out.resize(nonce_bytes + text.size() + mac_bytes);
	crypto_aead_xchacha20poly1305_ietf_encrypt(bytes(out) + nonce_bytes, nullptr, bytes(text), text.size(),
						   bytes(bound), bound.size(), nullptr, bytes(out), bytes(key));
	return out;
}

bool unseal(const std::string &key, const std::string &bound, const unsigned char *sealed, size_t length,
	    std::string &ret)
{
	if (length < nonce_bytes + mac_bytes)
		return false;
	ret.resize(length - nonce_bytes - mac_bytes);
	return crypto_aead_xchacha20poly1305_ietf_decrypt(bytes(ret), nullptr, nullptr, sealed + nonce_bytes,
							  length - nonce_bytes, bytes(bound), bound.size(), sealed,
							  bytes(key)) == 0;
}

uint64_t now_ms()
{
	using namespace std::chrono;

	return static_cast<uint64_t>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

} // namespace

Job::Job()
    : tag_key(random(key_bytes)), name_key(random(key_bytes)), metadata_key(random(key_bytes)),
      data_secret(random(key_bytes))
{
	if (sodium_init() < 0)
		throw std::runtime_error("libsodium does not start");
}

std::string Job::name_of(const std::string &user_tag, const std::string &id) const
{
	return "peer:s:{" + hex(user_tag) + "}:" + base64(hash(name_key, id, name_bytes));
}

std::string Job::data_key(const std::string &id) const
{
	return hash(data_secret, id, key_bytes);
}

std::string Job::create(const std::string &user, const std::string &profile, Token &ret_token,
			std::string &ret_record) const
{
	const std::string user_tag = hash(name_key, user, user_tag_bytes);
	std::string raw(head_bytes, '\1');
	std::string metadata, data;
	latchkey::peer::GetResponse known;

	ret_token.id = random(id_bytes);
	ret_token.key = name_of(user_tag, ret_token.id);
	raw += user_tag + ret_token.id;
	raw += hash(tag_key, raw, tag_bytes);

	known.set_valid(true);
	known.set_user(user);
	known.set_created_at_ms(now_ms());
	known.set_expires_at_ms(now_ms() + idle_timeout_ms);
	metadata = seal(metadata_key, ret_token.key, known.SerializeAsString());
	known.Clear();
	auto *attribute = known.add_attributes();
	attribute->set_key("profile");
	attribute->set_value(profile);
	data = seal(data_key(ret_token.id), ret_token.key, known.SerializeAsString());
	ret_record = {static_cast<char>(metadata.size() >> 8), static_cast<char>(metadata.size())};
	ret_record += metadata + data;
	return prefix + base64(raw);
}

bool Job::check(const std::string &token, Token &ret) const
{
	std::string raw(token_bytes, '\0');
	size_t length;

	if (token.compare(0, prefix_bytes, prefix) != 0 ||
	    sodium_base642bin(bytes(raw), raw.size(), token.data() + prefix_bytes, token.size() - prefix_bytes, nullptr,
			      &length, nullptr, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    length != token_bytes)
		return false;
	const std::string tag = hash(tag_key, raw.substr(0, token_bytes - tag_bytes), tag_bytes);
	if (sodium_memcmp(tag.data(), raw.data() + token_bytes - tag_bytes, tag_bytes) != 0)
		return false;
	ret.id = raw.substr(head_bytes + user_tag_bytes, id_bytes);
	ret.key = name_of(raw.substr(head_bytes, user_tag_bytes), ret.id);
	return true;
}

bool Job::open(const Token &token, const std::string &record, latchkey::peer::GetResponse &ret) const
{
	const unsigned char *at = bytes(record);
	std::string text;

	if (record.size() < length_bytes)
		return false;
	const size_t metadata = static_cast<size_t>(at[0]) << 8 | at[1];
	if (metadata > record.size() - length_bytes)
		return false;
	if (!unseal(metadata_key, token.key, at + length_bytes, metadata, text) || !ret.MergeFromString(text))
		return false;
	return unseal(data_key(token.id), token.key, at + length_bytes + metadata,
		      record.size() - length_bytes - metadata, text) &&
	       ret.MergeFromString(text);
}

} // namespace peer
