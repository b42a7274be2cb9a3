"""Plans that come with marsseg."""
