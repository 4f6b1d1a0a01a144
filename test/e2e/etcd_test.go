package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// etcdStatus is what is of interest of an answer of etcd's HTTP gateway.
type etcdStatus struct {
	Header struct {
		Member string `json:"member_id"`
	} `json:"header"`
	Leader string `json:"leader"`
}

// spareEtcd sees to it that a master does not lead etcd: for as long as a lost
// leader is missed no API server answers, whatever is in front of them.
func (p *controlPlane) spareEtcd(ctx context.Context, m *cluster.Master) error {
	s, err := askEtcd(ctx, m, "status", "{}")
	if err != nil || s.Leader != s.Header.Member {
		return err
	}
	for _, other := range p.Masters {
		if other == m {
			continue
		}
		o, err := askEtcd(ctx, other, "status", "{}")
		if err != nil {
			return err
		}
		_, err = askEtcd(ctx, m, "transfer-leadership", fmt.Sprintf(`{"targetID":%q}`, o.Header.Member))
		return err
	}
	return errors.New("there is no other master")
}

func askEtcd(ctx context.Context, m *cluster.Master, what, question string) (s etcdStatus, err error) {
	client := http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DialContext: m.DialContext, DisableKeepAlives: true},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:2379/v3/maintenance/"+what, strings.NewReader(question))
	if err != nil {
		return s, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return s, fmt.Errorf("ask etcd of %s: %w", m.Name(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("ask etcd of %s for %s: %s", m.Name(), what, resp.Status)
	}
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
