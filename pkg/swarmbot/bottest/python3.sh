#!/bin/sh
# Stands in for python3 on machines without: it says that it is one, and plays
# the bot by itself. BOT_MODE is as in bot/__main__.py, of which it knows
# exitN, deaf and idle.
if [ "$1" = -c ]; then
	echo "3 11 0 tls"
	exit 0
fi
echo "$$" >>starts
case ${BOT_MODE-idle} in
exit*) exit "${BOT_MODE#exit}" ;;
deaf) trap '' TERM ;;
*) trap 'echo "$$ 2026-11-24 04:07:38.447 I: Signal was received" >>logs/swarming_bot.log; exit 0' TERM ;;
esac
echo "$$ 2026-11-24 04:07:38.447 I: Connected to 7419-34ac013" >>logs/swarming_bot.log
while :; do sleep 0.1; done
