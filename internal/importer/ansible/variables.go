package ansible

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// The variables of the balancer.
const (
	balancerKey = "loadbalancer_apiserver"
	addressKey  = balancerKey + ".address"
	portKey     = balancerKey + ".port"
	domainKey   = "apiserver_loadbalancer_domain_name"
	localKey    = "loadbalancer_apiserver_localhost"
	apiPortKey  = "kube_apiserver_port"
	apiBindKey  = "kube_apiserver_bind_address"
	endpointKey = "kube_apiserver_endpoint"
	kubeVIPKey  = "kube_vip_enabled"
	kubeVIPAddr = "kube_vip_address"
	kubeVIPLink = "kube_vip_interface"
	servicesKey = "kube_service_addresses"
	podsKey     = "kube_pods_subnet"
)

// taken are the variables whose values are looked at.
var taken = map[string]bool{
	addressKey: true, portKey: true, domainKey: true, localKey: true, apiPortKey: true, apiBindKey: true, endpointKey: true,
	kubeVIPKey: true, kubeVIPAddr: true, kubeVIPLink: true, servicesKey: true, podsKey: true,
}

// beside are variables that have to do with the balancer, and why they are not
// carried over.
var beside = []reason{
	{regexp.MustCompile(`^loadbalancer_apiserver_\w+$`), plan.Needless, "it is of the balancer that the installer runs on each worker, which there is not where loadbalancer_apiserver is set"},
	{regexp.MustCompile(`^supplementary_addresses_in_ssl_keys$`), plan.Needless, "its addresses were not read: those of loadbalancer_apiserver and its domain are put into the certificates of API servers anyway; add a --vip that is another one"},
	{regexp.MustCompile(`^kube_apiserver_cluster_internal_endpoint$`), plan.Changed, "it was not read; it has to call the VIP, or be left out"},
	{regexp.MustCompile(`^kube_vip_\w+$`), plan.Needless, "how kube-vip is to run, in whose place kshalb is"},
}

type reason struct {
	names *regexp.Regexp
	level plan.Level
	why   string
}

// variables are those of all files.
type variables struct {
	groups []groupVariable
	files  []fileVariable
	blocks []block            // of loadbalancer_apiserver
	at     plan.Source        // of the one that holds
	sample plan.Value[string] // the domain where it is commented out
	others map[string]*keys
	order  []string // of the files in others
}

type groupVariable struct {
	group, key string
	value      plan.Value[string]
}

type fileVariable struct {
	key   string
	value plan.Value[string]
}

// ofGroup takes a variable of a group.
func (v *variables) ofGroup(group, key string, value plan.Value[string]) {
	switch {
	case key == balancerKey:
		for _, m := range flowPair.FindAllStringSubmatch(value.V, -1) {
			v.ofGroup(group, balancerKey+"."+m[1], plan.Of(unquoted(m[2]), value.From))
		}
	case taken[key]:
		v.groups = append(v.groups, groupVariable{group, key, value})
	default:
		v.other(key, value.From)
	}
}

// other takes the name of a variable that is not looked at.
func (v *variables) other(key string, at plan.Source) {
	if v.others == nil {
		v.others = make(map[string]*keys)
	}
	k := v.others[at.File]
	if k == nil {
		k = new(keys)
		v.others[at.File] = k
		v.order = append(v.order, at.File)
	}
	k.add(key, at)
}

// flowPair is a pair of {address: ADDRESS, port: PORT}, as YAML and Python have it.
var flowPair = regexp.MustCompile(`\b(address|port)["']?[ \t]*:[ \t]*("[^"]*"|'[^']*'|[^,"'} \t]+)`)

// settle finds the values that hold for the masters: files hold before groups, and
// of groups the deepest one.
func (r *reader) settle(masters []*host) {
	r.settleGroups(masters)
	r.settleBlocks()
	for _, f := range r.vars.files {
		r.outdone(f.key, r.values[f.key], f.value)
		r.values[f.key] = f.value
	}
	r.fillIn()
	for _, file := range r.vars.order {
		r.tellBeside(r.vars.others[file])
	}
}

func (r *reader) settleGroups(masters []*host) {
	depth := map[string]int{"all": 0}
	if len(masters) > 0 {
		depth = r.inventory.depths(masters[0])
	}
	sorted := slices.Clone(r.vars.groups)
	slices.SortStableFunc(sorted, func(a, b groupVariable) int {
		return cmp.Or(cmp.Compare(depth[a.group], depth[b.group]), cmp.Compare(a.group, b.group))
	})
	for _, g := range sorted {
		if !r.inventory.groups[g.group].declared {
			r.note(plan.Fault, g.value.From, "["+g.group+":vars]", "there is no such group in the files given, and Ansible refuses that; "+g.key+" is left out")
			continue
		}
		if _, has := depth[g.group]; !has && len(masters) > 0 {
			r.note(plan.Changed, g.value.From, g.key+" of ["+g.group+"]", "the first master is not in that group; it is left out")
			continue
		}
		r.outdone(g.key, r.values[g.key], g.value)
		r.values[g.key] = g.value
	}
}

// outdone notes a value in whose place another one is.
func (r *reader) outdone(key string, old, by plan.Value[string]) {
	switch {
	case !old.Given() || old.V == by.V && old.From.File != by.From.File:
	case old.From.File == by.From.File && old.From.Line < by.From.Line:
		r.note(plan.Changed, old.From, key, fmt.Sprintf("it is told once more in line %d, which holds", by.From.Line))
	default:
		r.note(plan.Changed, old.From, key, by.From.String()+" says otherwise, which holds")
	}
}

var reference = regexp.MustCompile(`^\{\{\s*([A-Za-z_]\w*)\s*\}\}$`)

// isTemplate reports whether a value is one of Jinja, or of what makes the file.
func isTemplate(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "{%") || strings.Contains(text, "${")
}

// variableIn is the one that a template stands for.
func variableIn(text string) (name string, ok bool) {
	m := reference.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// fillIn puts values in the place of the variables that stand for them.
func (r *reader) fillIn() {
	for _, key := range sorted(r.values) {
		v := r.values[key]
		if !isTemplate(v.V) || key == apiBindKey { // there it is each host's own
			continue
		}
		name, is := variableIn(v.V)
		other, told := r.values[name]
		if is && told && !isTemplate(other.V) {
			r.values[key] = plan.Because(other.V, v.From, name)
			continue
		}
		delete(r.values, key)
		r.note(plan.Fault, v.From, key, "it is a template, which only Ansible fills in; write the value, or tell it by a flag")
	}
}

func sorted(values map[string]plan.Value[string]) (names []string) {
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// tellBeside notes variables that are not looked at: those that have to do with
// the balancer by their names, all others together.
func (r *reader) tellBeside(k *keys) {
	var rest keys
	for i, name := range k.names {
		at := k.at[i]
		n := slices.IndexFunc(beside, func(b reason) bool { return b.names.MatchString(name) })
		if n < 0 {
			rest.add(name, at)
			continue
		}
		r.note(beside[n].level, at, yamlnode.Word(name), beside[n].why)
	}
	r.tellOthers(rest)
}
