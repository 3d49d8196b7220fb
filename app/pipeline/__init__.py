"""A request becomes events: plan, model input, panel, metric, flow, estimate, batch; findings in words."""
