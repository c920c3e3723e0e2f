#!lua flags=allow-oom
-- Brings a change of a profile back that was acknowledged before another primary took over; changes nothing where it is.
-- KEYS    1 profile  2 memory of the call  3 mark: something waits for an earlier change  [4 outbox]
-- ARGV    1 put, update or delete  2 items  3 memory's value, as profile_change answered it  4 time to remember it, ms
--         5 tombstone's time to live, ms  [6 change, sealed  7 the outbox's time to live, ms]
-- Returns 'done'; 'there': it is, or others have changed all that it did; 'again': what came before it is still to be
--         brought back, perhaps by another instance
-- Cost    O(fields changed), with put and delete O(fields)
--
-- Replication keeps a server's order, so what is there is the beginning of the old history, and perhaps a new one behind
-- it. Field by field the later stamp wins. Increments are made once for each call, whose memory comes and goes with them.
local profile, memory, mark, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local kind, tombstone = ARGV[1], tonumber(ARGV[5])
-- include profile_fields
-- include has_waited

local existed, version, stamp, before, created, lives, tier, behind = struct.unpack('>I1I8I8I8I8I8I1c0', ARGV[3], 17)
if redis.call('EXISTS', memory) == 1 then return 'there' end
local head = read_head()
if head.stamp < before and not has_waited() then return 'again' end

-- All fields that were set earlier, of a profile that was replaced or deleted.
local function drop_older()
	local stored, all = {}, redis.call('HGETALL', profile)
	for i = 1, #all, 2 do stored[all[i]] = all[i + 1] end
	for id, text in pairs(stored) do
		local seal = stored['n' .. id]
		if #id == 16 and stamp_of(seal or text) < stamp then
			head.fields, head.bytes = head.fields - 1, head.bytes - bytes_of(seal or text)
			redis.call('HDEL', profile, id, 'n' .. id)
		end
	end
end

local function bring_back(item)
	look_up(item)
	local at = math.max(item.old_text and stamp_of(item.old_seal or item.old_text) or 0, removed_at(head, item.id))
	if at >= stamp then return false end
	if item.kind == 'i' then
		if item.old_text and not item.old_seal then return false end
		if not fits(item.old_text or '0', item.text) then return false end
	end
	head.fields, head.bytes = count(item, head.fields, head.bytes)
	apply(item, head, stamp)
	return true
end

local is_changed = false
if head.replaced < stamp then
	if kind ~= 'update' then
		drop_older()
		head.replaced, is_changed = stamp, true
	end
	for _, item in ipairs(read_items(ARGV[2])) do is_changed = bring_back(item) or is_changed end
end
redis.call('SET', memory, ARGV[3], 'PX', ARGV[4])
redis.call('DEL', mark)
if not is_changed and head.stamp >= stamp then return 'there' end

local is_latest = head.stamp < stamp
if kind == 'delete' then
	if is_latest then head.tier = '' end
elseif head.tier == '' then
	head.tier, head.created = tier, math.max(head.created, created)
elseif is_latest then
	head.tier = tier
end
-- A number that stood for another history's change is not to stand for this.
head.version = math.max(is_latest and head.version or head.version + 1, version)
head.stamp = math.max(head.stamp, stamp)
local left = redis.call('PTTL', profile)
if head.tier == '' then
	redis.call('HDEL', profile, '_t')
	lives = tombstone
elseif not is_latest and left > 0 then
	lives = left
end
write_all(head, lives)
if outbox and (existed == 1 or kind ~= 'delete') then
	put_out({created = created, version = version, stamp = stamp}, ARGV[3]:sub(behind), ARGV[6], ARGV[7])
end
return 'done'
