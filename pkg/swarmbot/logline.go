package swarmbot

import (
	"strings"

	"gobuild/pkg/lazyre"
)

// meaning is what a line of the bot's log tells about the bot.
type meaning int

const (
	nothing     meaning = iota
	quarantined         // it takes no work until it is restarted
	unwell              // it says so with each poll, and takes it back some time
	well                // takes unwell back
	noEntry             // the server does not let it in
	entered             // the server has let it in
	unreachable         // no server is reached
	secondBot           // it is going to reboot the machine because of another bot
	rebooting           // it has asked for a reboot
	noReboot            // that did not come
	ownUpdate           // it has started another version of itself
	signalled           // it ends because it was told to by a signal
	complaint           // an error that may be the last word
)

// logLines are the lines that tell something, as the bot writes them
// (LUCI protocol, sections 9.4 to 9.9); the first that fits counts. The group,
// if there is one, is the detail.
var logLines = []struct {
	means meaning
	re    *lazyre.Regexp
	says  string // in place of a detail, or before it if it ends in a blank
}{
	{secondBot, lazyre.New(`Found a previous bot, (\d+)`), "a second bot runs in its directory; found by process "},
	{quarantined, lazyre.New(`_set_quarantined\((.+?)\)?\s*$`), "quarantined: "},
	{unwell, lazyre.New(`'quarantined': (?:'([^']+)'|"([^"]+)")`), "quarantined: "},
	{well, lazyre.New(`'quarantined': None`), ""},
	{noEntry, lazyre.New(`the bot is not in bots\.cfg`), "Swarming does not know this bot, or not by this token: compare the host name with the certificate's; if they agree, ask in the builder's issue"},
	{noEntry, lazyre.New(`Bot ID doesn't match the token used`), "Swarming knows the token, but for another bot than this: the host name is not the certificate's"},
	{noEntry, lazyre.New(`bad machine token`), "Swarming does not accept the machine token: it has expired or is damaged"},
	{noEntry, lazyre.New(`/(?:handshake|poll)\S* failed with HTTP status code (401|403)\b`), "Swarming does not let the bot in: HTTP status "},
	{noEntry, lazyre.New(`[Ff]ailed to grab (?:initial )?auth headers|Can't grab auth headers`), "the bot cannot read the machine token: is LUCI_MACHINE_TOKEN right, and the file readable?"},
	{unreachable, lazyre.New(`Unable to open given url, ([^ ,]+(?:, \[SSL: .{1,200})?)`), "the bot cannot reach "},
	{unreachable, lazyre.New(`Failed to contact for handshake`), cannotLogIn},
	{entered, lazyre.New(`I: Connected to `), ""},
	{rebooting, lazyre.New(`Restarting machine with command (.+)$`), ""},
	{noReboot, lazyre.New(`Host is stuck rebooting|Waited for host to reboot for too long|Failed to reboot the host`), "it asked for a reboot that does not come: may its user run sudo -n /sbin/shutdown -r now?"},
	{ownUpdate, lazyre.New(`importing bot_main: (\S+)`), ""},
	{signalled, lazyre.New(`Signal was received`), ""},
	{complaint, lazyre.New(`^\d+ \S+ \S+ E: (.+)$`), ""},
	{complaint, lazyre.New(`^(\w*(?:Error|Exception)\b.*)$`), ""},
}

// cannotLogIn is said where the log has not named the reason before.
const cannotLogIn = "the bot cannot log in; its log says why"

// readLine returns what a line means, and the detail in words.
func readLine(line string) (meaning, string) {
	for _, known := range logLines {
		m := known.re.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		detail := known.says
		if known.says == "" || strings.HasSuffix(known.says, " ") {
			detail += strings.Join(m[1:], "")
		}
		return known.means, detail
	}
	return nothing, ""
}
