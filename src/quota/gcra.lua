-- GCRA: the key holds the time, in microseconds, when its bucket would be full again.
-- ARGV: so many calls, in so many microseconds, so many at once, to take at most, to take at least.
local count, per, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local most, least = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local window = burst * per / count
local tat = now
-- Before Redis 7 an error that is raised here would lose its name.
local stored = redis.pcall('GET', KEYS[1])
if type(stored) == 'table' then
  if string.find(stored.err, 'WRONGTYPE', 1, true) then
    return redis.error_reply('BADBUCKET the key holds no string')
  end
  return stored
end
if stored then
  tat = tonumber(stored)
  if not tat or tat ~= tat then
    return redis.error_reply('BADBUCKET the key holds no time')
  end
  -- By another rate, or before the clock was set back: as far ahead as this rate lets anybody be.
  if tat > now + window then tat = math.ceil(now + window - per / count) end
  if tat < now then tat = now end
end
local left = math.floor((now + window - tat) * count / per + 0.000001)
local granted = math.min(most, left)
local wait = 0
if granted < least then
  granted = 0
  wait = math.ceil(tat + least * per / count - window - now)
else
  -- Rounded up, so that the rate is never exceeded.
  tat = tat + math.ceil(granted * per / count)
  left = left - granted
  if left < 1 then wait = math.ceil(tat + per / count - window - now) end
  redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1000)
end
return {granted, left, math.max(wait, 0)}
