package doctor

import (
	"path"
	"strconv"
	"strings"
)

// cgroup is a directory with the limits of a control group of Linux, and the
// group's name for people.
type cgroup struct {
	dir  string // below the file system's root, as seen by this process
	name string
	v2   bool
}

// cgroups returns the groups that bind this process for a controller: its own
// and every one around it, as far as they are mounted. Elsewhere than on Linux
// there are none.
func (e *exam) cgroups(controller string) []cgroup {
	var groups []cgroup
	for line := range strings.Lines(e.read("/proc/self/cgroup")) {
		// hierarchy:controllers:path; version 2 has no controllers.
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		v2 := part[1] == ""
		if !v2 && !listed(part[1], controller) {
			continue
		}
		mount, root, found := e.cgroupMount(v2, controller)
		if !found {
			continue
		}
		// What is above the mount's root is not to be seen from here.
		below := strings.TrimPrefix(part[2], strings.TrimSuffix(root, "/"))
		if below == part[2] && root != "/" {
			below = "/"
		}
		for dir := path.Join("/", below); ; dir = path.Dir(dir) {
			groups = append(groups, cgroup{path.Join(mount, dir), path.Join(root, dir), v2})
			if dir == "/" {
				break
			}
		}
	}
	return groups
}

// cgroupMount returns where the hierarchy of a controller is mounted, and
// which group is at the top of that mount.
func (e *exam) cgroupMount(v2 bool, controller string) (dir, root string, found bool) {
	for _, m := range e.mounts() {
		if v2 && m.kind == "cgroup2" || !v2 && m.kind == "cgroup" && listed(m.superOptions, controller) {
			return m.dir, m.root, true
		}
	}
	return "", "", false
}

// mount is a line of /proc/self/mountinfo.
type mount struct {
	root, dir, kind, options, superOptions string
}

// mounts returns what is mounted, the latest last; nothing where there is no
// such list.
func (e *exam) mounts() []mount {
	// The list writes these four characters in octal.
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var mounts []mount
	for line := range strings.Lines(e.read("/proc/self/mountinfo")) {
		// ID PARENT MAJOR:MINOR ROOT DIR OPTIONS [FIELD...] - TYPE SOURCE SUPEROPTIONS
		head, tail, found := strings.Cut(line, " - ")
		h, t := strings.Fields(head), strings.Fields(tail)
		if !found || len(h) < 6 || len(t) < 2 {
			continue
		}
		m := mount{root: unescape.Replace(h[3]), dir: unescape.Replace(h[4]), kind: t[0], options: h[5]}
		if len(t) > 2 {
			m.superOptions = t[2]
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// listed reports whether a word is in a list with commas.
func listed(list, word string) bool { return strings.Contains(","+list+",", ","+word+",") }

// limit is a number that something sets a bound of, and what does.
type limit struct {
	value float64
	by    string
}

// tightest returns the lowest limit, the first of equal ones.
func tightest(limits []limit) (lowest limit, found bool) {
	for _, l := range limits {
		if !found || l.value < lowest.value {
			lowest, found = l, true
		}
	}
	return lowest, found
}

// cgroupLimits returns the limits in a file of each group, version 1 and 2
// with their own names of it. No limit is written max, or in version 1 as a
// number that no machine has.
func (e *exam) cgroupLimits(controller, v1, v2 string) []limit {
	const none = 1 << 60
	var limits []limit
	for _, g := range e.cgroups(controller) {
		file := v1
		if g.v2 {
			file = v2
		}
		n, err := strconv.ParseUint(e.read(path.Join(g.dir, file)), 10, 64)
		if err == nil && n < none {
			limits = append(limits, limit{float64(n), "cgroup " + g.name})
		}
	}
	return limits
}

// cgroupCPUs returns how many CPUs each group may use.
func (e *exam) cgroupCPUs() []limit {
	var limits []limit
	for _, g := range e.cgroups("cpu") {
		text := e.read(path.Join(g.dir, "cpu.max")) // QUOTA PERIOD, in microseconds
		if !g.v2 {
			text = e.read(path.Join(g.dir, "cpu.cfs_quota_us")) + " " + e.read(path.Join(g.dir, "cpu.cfs_period_us"))
		}
		words := strings.Fields(text)
		if len(words) != 2 {
			continue
		}
		quota, err1 := strconv.ParseFloat(words[0], 64) // max or -1: no limit
		period, err2 := strconv.ParseFloat(words[1], 64)
		if err1 == nil && err2 == nil && quota > 0 && period > 0 {
			limits = append(limits, limit{quota / period, "cgroup " + g.name})
		}
	}
	return limits
}
