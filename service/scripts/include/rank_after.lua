-- Bytes decide the order of names, as in sorted sets; the language's own < asks the locale.
local function comes_after(a, b)
	for i = 1, math.min(#a, #b) do
		if a:byte(i) ~= b:byte(i) then return a:byte(i) > b:byte(i) end
	end
	return #a > #b
end

-- The rank of the first entry behind (score, name), whether or not that one is still there.
local function rank_after(score, name)
	if score == '' then return 0 end
	local rank = redis.call('ZRANK', index, name)
	if rank and tonumber(redis.call('ZSCORE', index, name)) == tonumber(score) then return rank + 1 end
	local low = redis.call('ZCOUNT', index, '-inf', '(' .. score)
	local high = redis.call('ZCOUNT', index, '-inf', score)
	while low < high do
		local middle = math.floor((low + high) / 2)
		if comes_after(redis.call('ZRANGE', index, middle, middle)[1], name) then
			high = middle
		else
			low = middle + 1
		end
	end
	return low
end
