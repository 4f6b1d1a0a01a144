// Package ansible makes a plan of the files of installers that Ansible runs: the
// hosts.ini of the old KubeSphere installer, or of kubespray, from which it comes,
// and the vars.yml, vars.yaml or common.yaml beside it. Of inventories it reads
// Ansible's INI form (docs.ansible.com, plugins ansible.builtin.ini and
// advanced_host_list; its source, lib/ansible/plugins/inventory/ini.py, decides
// where that is silent) and its YAML form; of the variables the few that are about
// the balancer, line by line: people have them commented out or wrongly indented,
// and mean them.
//
// A password is never looked at: of what is not a known key only the key is read.
package ansible
