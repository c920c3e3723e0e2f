#!/bin/sh
# install.sh BUILD SOURCE CC: installs into a folder of its own and uses the package as a stranger would.
set -eu
build=$1 source=$2 cc=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

cmake --install "$build" --component client --prefix "$root/usr" > "$root/log" || { cat "$root/log"; exit 1; }
libdir=$(dirname "$(find "$root/usr" -name liblatchkey.so)")
test -x "$root/usr/bin/latchkey"
"$root/usr/bin/latchkey" --version | grep -q '^latchkey [0-9]'

echo "== pkg-config, C"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
for example in login step_up patterns_read patterns_write; do
	$cc -Wall -Wextra -Werror "$source/client/examples/$example.c" $(pkg-config --cflags --libs latchkey) \
		-lpthread -Wl,-rpath,"$libdir" -o "$root/$example"
done
# Nobody listens there: it says so and fails, which shows that it runs.
if "$root/login" ipc:///nowhere.sock 2> "$root/said"; then exit 1; fi
grep -q 'no connection to ipc:///nowhere.sock' "$root/said"

echo "== the headers alone, C++"
cat > "$root/header.cc" <<'END'
#include <latchkey/admin.h>
#include <latchkey/auth.h>
#include <latchkey/limit.h>
#include <latchkey/lock.h>
#include <latchkey/profile.h>
#include <latchkey/visitors.h>
#include <latchkey/watch.h>
int main()
{
	lk_auth_get_request load = LK_AUTH_GET_REQUEST_INIT;
	lk_profile_update_request update = LK_PROFILE_UPDATE_REQUEST_INIT;
	lk_visitors_count_request count = LK_VISITORS_COUNT_REQUEST_INIT;
	lk_limit_state limit = LK_LIMIT_STATE_INIT;
	lk_lock_state lock = LK_LOCK_STATE_INIT;
	lk_session_get_request get = LK_SESSION_GET_REQUEST_INIT;
	lk_error error = LK_ERROR_INIT;
	lk_options options = LK_OPTIONS_INIT;
	lk_session_watch_request watch = LK_SESSION_WATCH_REQUEST_INIT;
	lk_verification verification = LK_VERIFICATION_INIT;
	get.token = lk_text("x");
	return load.struct_size == sizeof(load) && update.struct_size == sizeof(update) &&
	       count.struct_size == sizeof(count) && limit.struct_size == sizeof(limit) &&
	       lk_lock_owner(&lock).len == 0 && watch.struct_size == sizeof(watch) && verification.struct_size == sizeof(verification) &&
	       lk_event_kind_name(LK_EVENT_REVOKED) != nullptr && get.struct_size == sizeof(get) && error.struct_size == sizeof(error) &&
	       options.struct_size == sizeof(options) && lk_verdict_name(LK_UNKNOWN) != nullptr ? 0 : 1;
}
END
for standard in c++11 c++20; do
	g++ -std=$standard -pedantic -Wall -Wextra -Werror "$root/header.cc" $(pkg-config --cflags --libs latchkey) \
		-Wl,-rpath,"$libdir" -o "$root/header"
	"$root/header"
done

echo "== each header alone, C"
for header in latchkey admin auth limit lock profile visitors watch; do
	echo "#include <latchkey/$header.h>" > "$root/header.c"
	for standard in c11 c17 gnu17; do
		$cc -std=$standard -pedantic -Wall -Wextra -Werror $(pkg-config --cflags latchkey) -c "$root/header.c" \
			-o /dev/null
	done
done

echo "== find_package"
mkdir "$root/user"
cp "$source/client/examples/login.c" "$root/user"
cat > "$root/user/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.20)
project(user C)
find_package(latchkey 0.1 REQUIRED)
add_executable(login login.c)
target_link_libraries(login PRIVATE latchkey::latchkey)
END
cmake -G Ninja -S "$root/user" -B "$root/user/build" -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_C_COMPILER="$cc" > "$root/log" &&
	cmake --build "$root/user/build" >> "$root/log" || { cat "$root/log"; exit 1; }
if "$root/user/build/login" ipc:///nowhere.sock 2> "$root/said"; then exit 1; fi
grep -q 'no connection' "$root/said"
