package swarmbot

// Mark returns what marks the processes of a bot.
func Mark(b *Bot) string { return b.mark() }
