package openinference

// moderationResponse describes a moderation, whose verdict is in output.value.
func moderationResponse(body value) extract {
	return extract{model: body.get("model").str()}
}
