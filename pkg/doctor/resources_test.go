package doctor

import (
	"math"
	"runtime"
	"testing"
)

// mountinfo lines as Linux writes them.
const (
	mountRoot = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	mountV2   = "31 22 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	mountV1   = "34 31 0:30 /docker/abc /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n" +
		"35 31 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
)

func TestCgroupLimits(t *testing.T) {
	const none = math.MaxFloat64
	lowest := func(limits []limit) (float64, string) {
		l, found := tightest(limits)
		if !found {
			return none, ""
		}
		return l.value, l.by
	}
	for _, tt := range []struct {
		name     string
		files    map[string]string
		memory   float64
		memoryBy string
		cpus     float64
	}{
		{name: "no cgroups", memory: none, cpus: none},
		{
			name: "version 2, unlimited",
			files: map[string]string{
				"proc/self/cgroup": "0::/user.slice\n", "proc/self/mountinfo": mountRoot + mountV2,
				"sys/fs/cgroup/user.slice/memory.max": "max\n", "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
			},
			memory: none, cpus: none,
		},
		{
			name: "version 2, the group around it is tighter",
			files: map[string]string{
				"proc/self/cgroup": "0::/user.slice/a.scope\n", "proc/self/mountinfo": mountRoot + mountV2,
				"sys/fs/cgroup/user.slice/a.scope/memory.max": "1073741824\n", "sys/fs/cgroup/user.slice/memory.max": "536870912\n",
				"sys/fs/cgroup/user.slice/a.scope/cpu.max": "150000 100000\n", "sys/fs/cgroup/user.slice/cpu.max": "400000 100000\n",
			},
			memory: 512 * mib, memoryBy: "cgroup /user.slice", cpus: 1.5,
		},
		{
			name: "version 2, in a namespace of its own",
			files: map[string]string{
				"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2,
				"sys/fs/cgroup/memory.max": "268435456\n",
			},
			memory: 256 * mib, memoryBy: "cgroup /", cpus: none,
		},
		{
			name: "version 1, in a container",
			files: map[string]string{
				"proc/self/cgroup":                           "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc/sub\n1:name=systemd:/docker/abc\n",
				"proc/self/mountinfo":                        mountRoot + mountV1,
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "805306368\n",
				"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
				"sys/fs/cgroup/cpu,cpuacct/sub/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu,cpuacct/sub/cpu.cfs_period_us": "100000\n",
			},
			memory: 768 * mib, memoryBy: "cgroup /docker/abc", cpus: 0.5,
		},
		{
			name: "version 1, unlimited",
			files: map[string]string{
				"proc/self/cgroup": "5:memory:/\n", "proc/self/mountinfo": "34 31 0:30 / /cg rw - cgroup cgroup rw,memory\n",
				"cg/memory.limit_in_bytes": "9223372036854771712\n",
			},
			memory: none, cpus: none,
		},
		{
			name: "garbage",
			files: map[string]string{
				"proc/self/cgroup": "x\n0::\n::::\n", "proc/self/mountinfo": "1 2 -\n - \n" + mountV2,
				"sys/fs/cgroup/memory.max": "lots\n", "sys/fs/cgroup/cpu.max": "1 0\n",
			},
			memory: none, cpus: none,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := examine(t, Options{Root: tree(t, tt.files)})
			got, by := lowest(e.cgroupLimits("memory", "memory.limit_in_bytes", "memory.max"))
			if got != tt.memory || by != tt.memoryBy {
				t.Errorf("memory %g by %q, want %g by %q", got, by, tt.memory, tt.memoryBy)
			}
			if got, _ := lowest(e.cgroupCPUs()); got != tt.cpus {
				t.Errorf("CPUs %g, want %g", got, tt.cpus)
			}
		})
	}
}

// group gives a system with a version 2 group of limits.
func group(files map[string]string) map[string]string {
	files["proc/self/cgroup"] = "0::/\n"
	files["proc/self/mountinfo"] = mountV2
	return files
}

func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the files are Linux's")
	}
	meminfo := func(kb string) string { return "MemTotal:  " + kb + " kB\nMemFree: 1 kB\nSwapTotal: 2097148 kB\n" }
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  expect
	}{
		{"plenty", map[string]string{"proc/meminfo": meminfo("4028184")}, expect{OK, `^3\.8 GiB; swap 1\.9 GiB$`, ""}},
		{"1 GB board", map[string]string{"proc/meminfo": meminfo("948300")}, expect{OK, "^926 MiB; ", ""}},
		{"512 MB board", map[string]string{"proc/meminfo": meminfo("474000")}, expect{Warn, "^462 MiB; ", "more memory; .*GOGC"}},
		{"256 MB", map[string]string{"proc/meminfo": meminfo("240000")}, expect{Fail, "^234 MiB; ", "more memory"}},
		{"cgroup", group(map[string]string{"proc/meminfo": meminfo("4028184"), "sys/fs/cgroup/memory.max": "268435456"}),
			expect{Fail, `^256 MiB: limit of cgroup /; physical 3\.8 GiB; `, "^raise the limit of cgroup / .MemoryMax="}},
		{"cgroup alone", group(map[string]string{"sys/fs/cgroup/memory.max": "2147483648"}), expect{OK, `^2\.0 GiB: limit of cgroup /$`, ""}},
		{"unknown", nil, expect{Unknown, "^cannot be measured", ""}},
		{"garbage", map[string]string{"proc/meminfo": "MemTotal:\nMemTotal: x kB\n"}, expect{Unknown, "MemTotal", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compare(t, examine(t, Options{Root: tree(t, tt.files)}).memory(t.Context()), tt.want)
		})
	}
}

func TestParseMemory(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parse func(string) (memory, error)
		text  string
		want  uint64 // 0: an error
	}{
		{"plan9", parsePlan9Swap, "1071185920 memory\n4096 pagesize\n61372 kernel\n2792/200148 user\n", 1071185920},
		{"plan9 empty", parsePlan9Swap, "", 0},
		{"plan9 no number", parsePlan9Swap, "much memory", 0},
		{"solaris", parsePrtconf, "4096", 4096 * mib},
		{"aix", parsePrtconf, "Memory Size: 8192 MB", 8192 * mib},
		{"prtconf empty", parsePrtconf, "unknown", 0},
	} {
		got, err := tt.parse(tt.text)
		if got.physical != tt.want || (err != nil) != (tt.want == 0) {
			t.Errorf("%s: got %d, %v, want %d", tt.name, got.physical, err, tt.want)
		}
	}
}

func TestCPUs(t *testing.T) {
	slow := examine(t, Options{Root: tree(t, group(map[string]string{"sys/fs/cgroup/cpu.max": "50000 100000"}))})
	compare(t, slow.cpus(t.Context()), expect{Warn, `^0\.5 of \d+: limit of cgroup /$`, "whole CPU"})
	if runtime.NumCPU() > 1 {
		single := examine(t, Options{Root: tree(t, group(map[string]string{"sys/fs/cgroup/cpu.max": "100000 100000"}))})
		compare(t, single.cpus(t.Context()), expect{Warn, `^1 of \d+: `, "one works"})
		compare(t, examine(t, Options{Root: t.TempDir()}).cpus(t.Context()), expect{OK, `^\d+$`, ""})
	}
}

func TestProcesses(t *testing.T) {
	few := examine(t, Options{Root: tree(t, group(map[string]string{"sys/fs/cgroup/pids.max": "100"}))})
	compare(t, few.processes(t.Context()), expect{Warn, "^100: limit of cgroup /$", "TasksMax"})
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		bytes         float64
		size, decimal string
	}{
		{0, "0 bytes", "0 kB"},
		{600 << 10, "600 KiB", "614 kB"},
		{5 << 20, "5 MiB", "5.2 MB"},
		{100 << 20, "100 MiB", "105 MB"},
		{4 << 30, "4.0 GiB", "4.3 GB"},
		{20e9, "19 GiB", "20 GB"},
	} {
		if s, d := size(tt.bytes), decimal(tt.bytes); s != tt.size || d != tt.decimal {
			t.Errorf("%g: %s and %s, want %s and %s", tt.bytes, s, d, tt.size, tt.decimal)
		}
	}
}
