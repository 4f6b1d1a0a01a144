package doctor

// ipvsLink is the dummy interface of kube-proxy in mode ipvs.
const ipvsLink = "kube-ipvs0"
