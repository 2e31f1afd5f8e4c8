package admin

import "fairshare/plugin/tenant"

func (j *job) newCustomer() {
	c := &tenant.Subject{Kind: tenant.Customer}
	j.need("user_id")
	j.apply(c, 0, "")
	spend, given := j.spend()
	j.refers(c)
	j.fresh(c, "user_id")
	if j.refusal != nil {
		return
	}
	before := Book{}
	if given {
		// The books of a customer may be older than its record.
		var ok bool
		if before, ok = j.Books.Book(j.now, c, ""); !ok || !j.Books.SetSpend(j.now, c, spend) {
			j.broken()
			return
		}
	}
	if j.add([]*tenant.Subject{c}, "user_id") {
		j.row(c)
	} else if given {
		_ = j.Books.SetSpend(j.now, c, before.Own)
	}
}

func (j *job) customerInfo() {
	id := j.param("end_user_id")
	if c := j.find(tenant.Customer, id); c != nil {
		j.row(c)
	} else {
		j.missing(tenant.Customer, id, "end_user_id")
	}
}

func (j *job) updateCustomer() {
	id := j.need("user_id")
	if j.refusal != nil {
		return
	}
	c := j.changeable(tenant.Customer, id, "user_id")
	if c == nil {
		return
	}
	if c = j.change(c, "user_id", 0, nil); c != nil {
		j.row(c)
	}
}

// deleteCustomers removes customers. If the store fails between two of them the
// first are gone.
func (j *job) deleteCustomers() {
	var all []*tenant.Subject
	var none, gone []byte
	for _, id := range j.needs("user_ids") {
		c := j.find(tenant.Customer, id)
		switch {
		case c == nil && len(none) > 0:
			none = append(none, ", "...)
			fallthrough
		case c == nil:
			none = append(none, id...)
			continue
		case c.Declared:
			j.came(tenant.IsDeclared, c, "user_ids")
		case len(gone) > 0:
			gone = append(gone, ", "...)
		}
		all = append(all, c)
		gone = append(append(append(gone, '\''), id...), '\'')
	}
	if len(none) > 0 {
		j.refuse(404, "not_found", "user_ids", "End User Id(s)="+clip(string(none))+" do not exist in db")
	}
	if j.removeAll(all, "user_ids") {
		j.put(`{"deleted_customers":`)
		j.int(int64(len(all)))
		j.put(`,"message":`)
		j.quote("Successfully deleted customers with ids: [" + string(gone) + "]")
		j.put("}")
	}
}

// blockCustomers blocks customers, also such as there is no record of yet:
// whoever a request names is a customer. Each is blocked for itself; if the
// store fails between two of them the first are.
func (j *job) blockCustomers(blocked bool) {
	ids := j.needs("user_ids")
	for _, id := range ids {
		if c := j.find(tenant.Customer, id); c != nil && c.Declared {
			j.came(tenant.IsDeclared, c, "user_ids")
		}
	}
	if j.refusal != nil {
		return
	}
	var all []*tenant.Subject
	for _, id := range ids {
		c := &tenant.Subject{Kind: tenant.Customer, ID: id, Blocked: blocked, Created: j.now, Updated: j.now}
		changed, got := j.Tenants.Change(tenant.Customer, id, func(c *tenant.Subject) { c.Blocked, c.Updated = blocked, j.now })
		if got == tenant.Missing {
			if got = j.Tenants.Add(c); got == tenant.Exists {
				changed, got = j.Tenants.Change(tenant.Customer, id, func(c *tenant.Subject) { c.Blocked, c.Updated = blocked, j.now })
			}
		}
		if !j.came(got, c, "user_ids") {
			return
		}
		if changed == nil {
			changed = c
		}
		all = append(all, changed)
	}
	j.written = true
	j.put(`{"blocked_users":[`)
	j.rows(all)
	j.put("]}")
}
