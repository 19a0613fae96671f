package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
)

// keepEnded is how many ended instances and how many rejected requests Memory
// remembers.
const keepEnded = 1000

// Memory is a Store that lives as long as the process.
type Memory struct {
	mu       sync.Mutex
	byID     map[string]Instance
	ended    []string  // IDs in the order in which they ended, oldest first
	requests []Request // in the order in which they were added
	hosts    map[[2]string]HostAvailability
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{byID: map[string]Instance{}, hosts: map[[2]string]HostAvailability{}}
}

// SaveInstance implements Store. Of the ended instances it keeps the last
// 1000.
func (m *Memory) SaveInstance(_ context.Context, inst Instance) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byID[inst.ID] = inst
	m.ended = slices.DeleteFunc(m.ended, func(id string) bool { return id == inst.ID })
	if !inst.Ended.IsZero() {
		m.ended = append(m.ended, inst.ID)
	}
	for len(m.ended) > keepEnded {
		delete(m.byID, m.ended[0])
		m.ended = m.ended[1:]
	}
	return nil
}

// Instance implements Store.
func (m *Memory) Instance(_ context.Context, id string) (Instance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	inst, ok := m.byID[id]
	if !ok {
		return Instance{}, ErrNotFound
	}
	return inst, nil
}

// Instances implements Store.
func (m *Memory) Instances(context.Context) ([]Instance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var live []Instance
	for _, inst := range m.byID {
		if inst.Ended.IsZero() {
			live = append(live, inst)
		}
	}
	slices.SortFunc(live, func(a, b Instance) int { return cmp.Compare(a.ID, b.ID) })
	return live, nil
}

// SaveHostAvailability implements Store.
func (m *Memory) SaveHostAvailability(_ context.Context, a HostAvailability) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{a.HostType, a.Hostname}
	if a.State == "" {
		delete(m.hosts, key)
	} else {
		m.hosts[key] = a
	}
	return nil
}

// HostAvailabilities implements Store.
func (m *Memory) HostAvailabilities(context.Context) ([]HostAvailability, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.hosts), func(a, b HostAvailability) int {
		return cmp.Or(cmp.Compare(a.HostType, b.HostType), cmp.Compare(a.Hostname, b.Hostname))
	}), nil
}

// Close implements Store.
func (m *Memory) Close() error { return nil }
