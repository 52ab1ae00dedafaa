// AdminAuth
