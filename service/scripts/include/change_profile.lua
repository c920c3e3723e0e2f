local profile, memory, outbox = KEYS[1], KEYS[2], KEYS[3]
local kind, tombstone = ARGV[1], tonumber(ARGV[8])
-- include profile_fields

local remembered = redis.call('GET', memory)
local waiting = {}
if outbox then
	local max = tonumber(ARGV[12])
	waiting = redis.call('LRANGE', outbox, 0, max)
	if #waiting > max or (#waiting == max and not remembered) then return {'backlog', unpack(waiting, 1, max)} end
end
if remembered then return {'ok', remembered, unpack(waiting)} end

local head = read_head()
local exists = head.tier ~= ''
local version = exists and head.version or 0
if ARGV[2] ~= '' and ARGV[2] ~= string.format('%.0f', version) then return {'conflict', version} end

-- A tier that the configuration has no more is the default.
local function choose_tier()
	local wanted = ARGV[4] ~= '' and ARGV[4] or head.tier
	local _, at = ARGV[3]:find(';' .. wanted .. '=', 1, true)
	if at then return wanted, ARGV[3]:match('^%d+', at + 1) end
	return ARGV[3]:match('^;([^=]+)=(%d+)')
end

local items = read_items(ARGV[5])
local fields, bytes = 0, 0
if kind == 'update' then fields, bytes = head.fields, head.bytes end
for i, item in ipairs(items) do
	if kind == 'update' then look_up(item) end
	if item.kind == 'i' then
		if item.old_text and not item.old_seal then return {'value', i} end
		if not fits(item.old_text or '0', item.text) then return {'overflow', i} end
	end
	fields, bytes = count(item, fields, bytes)
end
if fields > tonumber(ARGV[9]) then return {'fields', fields} end
if bytes > tonumber(ARGV[10]) then return {'bytes', bytes} end

local now, before = redis.call('TIME'), head.stamp
head.stamp = math.max(before + 1, now[1] * 1000000 + now[2])
head.fields, head.bytes = fields, bytes
if exists or kind ~= 'delete' then head.version = head.version + 1 end
if not exists and kind ~= 'delete' then head.created = math.max(head.created + 1, math.floor(head.stamp / 1000)) end
if kind ~= 'update' then
	redis.call('DEL', profile)
	head.replaced, head.removed = head.stamp, ''
end
local counters = {}
for _, item in ipairs(items) do
	apply(item, head, head.stamp)
	if item.kind == 'i' then counters[#counters + 1] = redis.call('HGET', profile, item.id) end
end
counters = table.concat(counters, ',')
local tier, lives = choose_tier()
head.tier = kind == 'delete' and '' or tier
write_all(head, kind == 'delete' and tombstone or lives)

remembered = ARGV[7] .. string.char(exists and 1 or 0)
	.. struct.pack('>I8I8I8I8I8I1', head.version, head.stamp, before, head.created, tonumber(lives), #head.tier)
	.. head.tier .. counters
redis.call('SET', memory, remembered, 'PX', ARGV[6])
if outbox and (exists or kind ~= 'delete') then
	waiting[#waiting + 1] = put_out(head, counters, ARGV[11], ARGV[13])
end
return {'ok', remembered, unpack(waiting)}
