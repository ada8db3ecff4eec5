-- A bucket of tokens in a hash, as gochat's Go services keep it, but by the clock of Redis.
-- ARGV: so many calls, in so many microseconds, so many at once, to take at most, to take at least.
local rate, capacity = tonumber(ARGV[1]) * 1000000 / tonumber(ARGV[2]), tonumber(ARGV[3])
local most, least = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000000 + tonumber(time[2]) * 1000
-- Before Redis 7 an error that is raised here would lose its name.
local stored = redis.pcall('HMGET', KEYS[1], 'tokens', 'last_refill_ts', 'total_requests', 'allowed_requests')
if stored.err then
  if string.find(stored.err, 'WRONGTYPE', 1, true) then
    return redis.error_reply('BADBUCKET the key holds no hash')
  end
  return stored
end
local function number(at, otherwise)
  if not stored[at] then return otherwise end
  local value = tonumber(stored[at])
  if not value or value ~= value or math.abs(value) == math.huge then return nil end
  return value
end
local tokens, last = number(1, capacity), number(2, now)
local total, allowed = number(3, 0), number(4, 0)
if not (tokens and last and total and allowed) then
  return redis.error_reply('BADBUCKET a field of the key holds no number')
end
-- A peer whose clock is ahead, or behind, may have left any time, and any debt.
tokens = math.min(capacity, math.max(tokens, 0) + math.max(now - last, 0) / 1000000000 * rate)
local granted = math.min(most, math.floor(tokens + 0.000001))
if granted < least then
  granted = 0
  total = total + least
else
  tokens = math.max(tokens - granted, 0)
  total = total + granted
  allowed = allowed + granted
end
local wait = 0
if granted == 0 then
  wait = math.ceil((least - tokens) / rate * 1000000)
elseif tokens < 1 then
  wait = math.ceil((1 - tokens) / rate * 1000000)
end
redis.call('HSET', KEYS[1], 'tokens', tokens, 'last_refill_ts', now, 'total_requests', total, 'allowed_requests', allowed)
redis.call('EXPIRE', KEYS[1], math.max(86400, math.ceil(capacity / rate) + 1))
return {granted, math.floor(tokens), total, allowed, math.max(wait, 0)}
